// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the AVX2 and AVX-512 paths share: included by both.

static void x86_widen(matrix_dtype dtype, const void *from, size_t count, float *to)
{
  for (size_t i = 0; i < count; i += 8) {
    __m256 wide;
    if (dtype == MATRIX_INT8) {
      __m128i bytes = _mm_loadl_epi64((const __m128i *)((const char *)from + i));
      wide = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    } else {
      __m128i halves = _mm_loadu_si128((const __m128i *)((const char *)from + 2 * i));
      wide = dtype == MATRIX_F16
                 ? _mm256_cvtph_ps(halves)
                 : _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
    }
    _mm256_storeu_ps(to + i, wide);
  }
}
