// SPDX-License-Identifier: GPL-3.0-or-later
//
// Everything but the multiplication, for any instruction set: included by a path's file, which
// defines the type vec of LANES floats, the operators on it (the compiler's own + - * /) and
//   v_load v_store v_load_part v_store_part (the first n lanes; others read as 0)
//   v_set v_fma v_min v_max v_round v_sum v_largest v_where_less(a, b, then, else)
//   v_power_of_two(n), n whole in -126..127
// Each element meets the same operations whether it stands in a whole vector or in a row's end.

// e^x; polynomial of (e^r - 1 - r) / r^2 fitted on |r| <= ln(2) / 2. 0 below the smallest normal.
static inline vec v_exp_parts(vec x, vec *power)
{
  vec n = v_round(x * v_set(1.44269504f));
  vec r = v_fma(n, v_set(-0.693145752f), x);
  r = v_fma(n, v_set(-1.42860677e-6f), r);
  vec p = v_set(1.394214954e-03f);
  p = v_fma(p, r, v_set(8.363776500e-03f));
  p = v_fma(p, r, v_set(4.166636359e-02f));
  p = v_fma(p, r, v_set(1.666657336e-01f));
  p = v_fma(p, r, v_set(0.5f));
  *power = v_power_of_two(n);
  return v_fma(p * r, r, r); // e^r - 1
}

static inline vec v_exp(vec x)
{
  vec power;
  // The order of operands keeps a NaN.
  vec inside = v_min(v_set(88.0f), v_max(v_set(-87.0f), x));
  vec minus_one = v_exp_parts(inside, &power);
  vec value = v_fma(minus_one, power, power);
  value = v_where_less(x, v_set(-87.0f), v_set(0.0f), value);
  return v_where_less(v_set(88.0f), x, v_set(INFINITY), value);
}

static inline vec v_sigmoid(vec x)
{
  return v_set(1.0f) / (v_set(1.0f) + v_exp(-x));
}

static inline vec v_tanh(vec x)
{
  vec size = v_max(x, -x);
  vec square = x * x;
  vec p = v_set(-5.942175642e-03f);
  p = v_fma(p, square, v_set(2.088908499e-02f));
  p = v_fma(p, square, v_set(-5.382789708e-02f));
  p = v_fma(p, square, v_set(1.333261882e-01f));
  p = v_fma(p, square, v_set(-3.333332749e-01f));
  vec near = v_fma(p * square, x, x);
  vec far = v_set(1.0f) - v_set(2.0f) / (v_exp(size + size) + v_set(1.0f));
  far = v_where_less(x, v_set(0.0f), -far, far);
  return v_where_less(v_set(0.625f), size, far, near);
}

// Near zero x P(x^2), then 1 - exp(-Q(|x|)).
static inline vec v_erf(vec x)
{
  vec size = v_max(x, -x);
  vec square = x * x;
  vec p = v_set(7.889109483e-05f);
  p = v_fma(p, square, v_set(-8.020838619e-04f));
  p = v_fma(p, square, v_set(5.189535089e-03f));
  p = v_fma(p, square, v_set(-2.685444450e-02f));
  p = v_fma(p, square, v_set(1.128360018e-01f));
  p = v_fma(p, square, v_set(-3.761262714e-01f));
  p = v_fma(p, square, v_set(1.128379166e+00f));
  vec z = v_min(v_set(4.0f), size);
  vec q = v_set(2.169845043e-05f);
  q = v_fma(q, z, v_set(-4.414791469e-04f));
  q = v_fma(q, z, v_set(4.205299032e-03f));
  q = v_fma(q, z, v_set(-2.521032710e-02f));
  q = v_fma(q, z, v_set(1.084219944e-01f));
  q = v_fma(q, z, v_set(6.332165776e-01f));
  q = v_fma(q, z, v_set(1.129580176e+00f));
  q = v_fma(q, z, v_set(-1.884293945e-04f));
  vec far = v_set(1.0f) - v_exp(-q);
  far = v_where_less(x, v_set(0.0f), -far, far);
  return v_where_less(v_set(1.0f), size, far, x * p);
}

// sin(x)^2: x is brought to |r| <= pi / 2 by three parts of pi, exact enough for any |x| whose
// sine still means something (below about 1e6).
static inline vec v_sine_square(vec x)
{
  vec n = v_round(x * v_set(0.318309886f));
  vec r = v_fma(n, v_set(-3.140625f), x);
  r = v_fma(n, v_set(-9.67025756835938e-4f), r);
  r = v_fma(n, v_set(-6.27832957e-7f), r);
  vec z = r * r;
  vec p = v_set(-2.390766793e-08f);
  p = v_fma(p, z, v_set(2.752653790e-06f));
  p = v_fma(p, z, v_set(-1.984089273e-04f));
  p = v_fma(p, z, v_set(8.333331315e-03f));
  p = v_fma(p, z, v_set(-1.666666663e-01f));
  vec sine = v_fma(p * z, r, r);
  return sine * sine;
}

static inline vec v_expm1(vec x)
{
  vec power;
  vec inside = v_min(v_set(88.0f), v_max(v_set(-87.0f), x));
  vec minus_one = v_exp_parts(inside, &power);
  return v_fma(minus_one, power, power - v_set(1.0f));
}

static inline vec v_activated(activation act, vec x)
{
  const vec half = v_set(0.5f);
  const vec one = v_set(1.0f);
  switch (act) {
  case ACTIVATION_NONE: return x;
  case ACTIVATION_RELU: return v_where_less(v_set(0.0f), x, x, v_set(0.0f));
  case ACTIVATION_SILU: return x / (one + v_exp(-x));
  case ACTIVATION_GELU_ERF: return half * x * (one + v_erf(x * v_set(0.707106781f)));
  case ACTIVATION_GELU_TANH: {
    vec inner = v_fma(x * x * x, v_set(0.044715f), x);
    return half * x * (one + v_tanh(inner * v_set(0.797884561f)));
  }
  case ACTIVATION_SELU:
    return v_set(1.05070099f) * v_where_less(v_set(0.0f), x, x, v_set(1.67326324f) * v_expm1(x));
  case ACTIVATION_TANH: return v_tanh(x);
  case ACTIVATION_SIGMOID: return v_sigmoid(x);
  }
  return x;
}

// The loops over a row below handle LANES columns at a time, `n` of them at the end.
#define FOR_COLUMNS(c, n, count)                                                                   \
  for (size_t c = 0, n; c < (count) && (n = (count)-c < LANES ? (count)-c : LANES) > 0; c += LANES)

static inline vec v_get(const float *p, size_t n)
{
  return n == LANES ? v_load(p) : v_load_part(p, n);
}

static inline void v_put(float *p, size_t n, vec value)
{
  if (n == LANES)
    v_store(p, value);
  else
    v_store_part(p, n, value);
}

static void vector_activate(activation act, float *x, size_t count)
{
  FOR_COLUMNS(c, n, count) v_put(x + c, n, v_activated(act, v_get(x + c, n)));
}

static inline __attribute__((always_inline)) void finish_with(const finish_job *f, activation act,
                                                              bool only_bias)
{
  const epilogue *e = &f->after;
  for (size_t r = 0; r < f->rows; r++) {
    const float *sum = f->sum + r * f->sum_stride;
    float *y = f->y + r * f->y_stride;
    FOR_COLUMNS(c, n, f->columns)
    {
      vec value = v_get(sum + c, n);
      if (!only_bias && f->scale != NULL) value = value * v_get(f->scale + c, n);
      value = v_activated(act, value + v_get(f->bias + c, n));
      if (!only_bias) {
        if (e->factor != NULL) value = value * v_get(e->factor + r * e->factor_stride + c, n);
        if (e->scale != NULL) value = value * v_get(e->scale + c, n);
        if (e->residual != NULL) value = value + v_get(e->residual + r * e->residual_stride + c, n);
      }
      v_put(y + c, n, value);
    }
  }
}

// The common case is worth a loop without questions: narrow convolutions spend a fifth here.
static void vector_finish(const finish_job *f)
{
  const epilogue *e = &f->after;
  if (e->act == ACTIVATION_NONE && f->scale == NULL && e->factor == NULL && e->scale == NULL &&
      e->residual == NULL)
    finish_with(f, ACTIVATION_NONE, true);
  else
    finish_with(f, e->act, false);
}

// Summed one by one: so many zeros (masked keys) in front or between change no bit.
static float sum_in_order(const float *x, size_t count)
{
  float sum = 0.0f;
  for (size_t i = 0; i < count; i++) sum += x[i];
  return sum;
}

static void exponentials_only(float *x, size_t count, float scale, const float *bias)
{
  vec most = v_set(-INFINITY);
  FOR_COLUMNS(c, n, count)
  {
    vec value = v_get(x + c, n) * v_set(scale);
    if (bias != NULL) value = value + v_get(bias + c, n);
    v_put(x + c, n, value);
    if (n == LANES) most = v_max(most, value);
  }
  float largest = v_largest(most);
  for (size_t c = count / LANES * LANES; c < count; c++)
    if (x[c] > largest) largest = x[c];
  if (largest == -INFINITY) largest = 0.0f;
  FOR_COLUMNS(c, n, count) v_put(x + c, n, v_exp(v_get(x + c, n) - v_set(largest)));
}

static float vector_exponentials(float *x, size_t count, float scale, const float *bias)
{
  exponentials_only(x, count, scale, bias);
  return sum_in_order(x, count);
}

static void vector_softmax_rows(float *x, size_t stride, size_t rows, size_t width)
{
  for (size_t i = 0; i < rows; i++, x += stride) {
    vec inverse = v_set(1.0f / vector_exponentials(x, width, 1.0f, NULL));
    FOR_COLUMNS(c, n, width) v_put(x + c, n, v_get(x + c, n) * inverse);
  }
}

static void vector_depthwise(const float *w, const float *bias, size_t taps, size_t dilation,
                             const float *x, size_t x_stride, size_t rows, size_t channels,
                             float *y, size_t y_stride)
{
  for (size_t i = 0; i < rows; i++) {
    FOR_COLUMNS(c, n, channels)
    {
      vec sum = bias != NULL ? v_get(bias + c, n) : v_set(0.0f);
      const float *in = x + i * x_stride + c;
      const float *tap = w + c;
      for (size_t j = 0; j < taps; j++, in += dilation * x_stride, tap += channels)
        sum = v_fma(v_get(tap, n), v_get(in, n), sum);
      v_put(y + i * y_stride + c, n, sum);
    }
  }
}

static void vector_layer_norm(const float *x, size_t x_stride, size_t rows, size_t width,
                              const float *gain, const float *bias, float epsilon, float *y,
                              size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride) {
    vec sum = v_set(0.0f);
    FOR_COLUMNS(c, n, width) sum = sum + v_get(x + c, n);
    vec mean = v_set(v_sum(sum) / (float)width);
    sum = v_set(0.0f);
    size_t whole = width / LANES * LANES;
    for (size_t c = 0; c < whole; c += LANES) {
      vec centred = v_load(x + c) - mean;
      sum = v_fma(centred, centred, sum);
    }
    float squares = v_sum(sum);
    for (size_t c = whole; c < width; c++) {
      float centred = x[c] - v_first(mean);
      squares += centred * centred;
    }
    vec inverse = v_set(1.0f / sqrtf(squares / (float)width + epsilon));
    FOR_COLUMNS(c, n, width)
    {
      vec value = (v_get(x + c, n) - mean) * inverse;
      if (gain != NULL) value = value * v_get(gain + c, n);
      if (bias != NULL) value = value + v_get(bias + c, n);
      v_put(y + c, n, value);
    }
  }
}

static void vector_rms_norm(const float *x, size_t x_stride, size_t rows, size_t width,
                            const float *gain, float epsilon, float *y, size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride) {
    vec sum = v_set(0.0f);
    FOR_COLUMNS(c, n, width)
    {
      vec value = v_get(x + c, n);
      sum = v_fma(value, value, sum);
    }
    vec inverse = v_set(1.0f / sqrtf(v_sum(sum) / (float)width + epsilon));
    FOR_COLUMNS(c, n, width)
    {
      vec value = v_get(x + c, n) * inverse;
      if (gain != NULL) value = value * v_get(gain + c, n);
      v_put(y + c, n, value);
    }
  }
}

static void vector_glu_rows(const float *x, size_t x_stride, size_t rows, size_t width, float *y,
                            size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride) FOR_COLUMNS(c, n, width)
  v_put(y + c, n, v_get(x + c, n) * v_sigmoid(v_get(x + width + c, n)));
}

// Twelve independent chains: more than any processor's latency times its units.
static size_t vector_multiply_adds(size_t rounds, float *kept)
{
  vec chain[12];
  const vec factor = v_set(0.999f);
  const vec addend = v_set(0.001f);
#pragma GCC unroll 12
  for (int i = 0; i < 12; i++) chain[i] = v_set(*kept + (float)i);
  for (size_t round = 0; round < rounds; round++)
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) chain[i] = v_fma(chain[i], factor, addend);
#pragma GCC unroll 12
  for (int i = 0; i < 12; i++) *kept += v_sum(chain[i]);
  return rounds * 12 * LANES;
}

// ---- The anti-aliased activation, LANES channels at a time ----

enum { SNAKE_ROWS = 32 }; // rows whose values at twice the rate are kept at once: 5 KB of stack

typedef struct {
  const float *x; // row 0 of the signal, first channel of the vector
  ptrdiff_t stride;
  ptrdiff_t length;
  vec frequency;
  vec amplitude;
  vec up[12]; // times 2
  vec down[12];
} snake_lanes;

#define INLINE static inline __attribute__((always_inline))

INLINE vec snake_shape(const snake_lanes *s, vec x)
{
  return v_fma(v_sine_square(x * s->frequency), s->amplitude, x);
}

// Values 2 a + 1 and 2 a + 2 at twice the rate, after s(x): both come of rows a - 2 .. a + 3.
// Before value 0 and after 2 length - 1 these two are repeated.
INLINE void snake_pair(const snake_lanes *s, ptrdiff_t a, const size_t channels, vec *out)
{
  ptrdiff_t end = s->length - 1;
  a = a < -1 ? -1 : a > end ? end : a;
  bool inside = a >= 2 && a + 3 <= end;
  vec odd = v_set(0.0f);
  vec even = v_set(0.0f);
#pragma GCC unroll 6
  for (ptrdiff_t i = 0; i < 6; i++) {
    ptrdiff_t row = a + 3 - i;
    if (!inside) row = row < 0 ? 0 : row > end ? end : row;
    vec x = v_get(s->x + row * s->stride, channels);
    odd = v_fma(s->up[2 * i], x, odd);
    even = v_fma(s->up[2 * i + 1], x, even);
  }
  odd = snake_shape(s, odd);
  even = snake_shape(s, even);
  out[0] = a < 0 ? even : odd;
  out[1] = a == end ? odd : even;
}

INLINE void snake_columns(const snake_lanes *s, ptrdiff_t first, size_t rows, const size_t channels,
                          float *y, size_t y_stride)
{
  vec shaped[2 * SNAKE_ROWS + 10];
  for (ptrdiff_t k = 0; k < 5; k++) snake_pair(s, first - 3 + k, channels, shaped + 2 * k);
  for (size_t done = 0, count; done < rows; done += count) {
    count = rows - done < SNAKE_ROWS ? rows - done : SNAKE_ROWS;
    for (size_t r = 0; r < count; r++)
      snake_pair(s, first + (ptrdiff_t)(done + r) + 2, channels, shaped + 10 + 2 * r);
    for (size_t r = 0; r < count; r++) {
      vec sum = v_set(0.0f);
#pragma GCC unroll 12
      for (int j = 0; j < 12; j++) sum = v_fma(s->down[j], shaped[2 * r + j], sum);
      v_put(y + (done + r) * y_stride, channels, sum);
    }
    for (int k = 0; k < 10; k++) shaped[k] = shaped[2 * count + k];
  }
}

static void vector_snake(const snake_antialias *p, const float *x, size_t x_stride, size_t first,
                         size_t rows, size_t length, float *y, size_t y_stride)
{
  snake_lanes s = {.stride = (ptrdiff_t)x_stride, .length = (ptrdiff_t)length};
  if (rows == 0 || length == 0) return;
  for (int j = 0; j < 12; j++) {
    s.up[j] = v_set(2.0f * p->up[j]);
    s.down[j] = v_set(p->down[j]);
  }
  FOR_COLUMNS(c, n, p->channels)
  {
    s.x = x - first * x_stride + c;
    s.frequency = v_get(p->frequency + c, n);
    s.amplitude = v_get(p->amplitude + c, n);
    if (n == LANES)
      snake_columns(&s, (ptrdiff_t)first, rows, LANES, y + c, y_stride);
    else
      snake_columns(&s, (ptrdiff_t)first, rows, n, y + c, y_stride);
  }
}
