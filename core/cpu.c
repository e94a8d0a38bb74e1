// SPDX-License-Identifier: GPL-3.0-or-later
#include "cpu.h"

#include <sched.h>
#include <stdio.h>

#if defined(__x86_64__)

static bool has_avx2(void)
{
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

static bool has_vnni(void)
{
  return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

const kernels_path *cpu_path_at(size_t index)
{
  if (index == 0) return &kernels_plain;
  if (index == 1 && has_avx2()) return &kernels_avx2;
  if (index == 2 && has_avx512()) return &kernels_avx512;
  return index == 3 && has_vnni() ? &kernels_vnni : NULL;
}

const kernels_path *cpu_path(void)
{
  if (has_vnni()) return &kernels_vnni;
  if (has_avx512()) return &kernels_avx512;
  return has_avx2() ? &kernels_avx2 : &kernels_plain;
}

#elif defined(__aarch64__)

const kernels_path *cpu_path_at(size_t index)
{
  if (index == 0) return &kernels_plain;
  return index == 1 ? &kernels_neon : NULL;
}

const kernels_path *cpu_path(void)
{
  return &kernels_neon;
}

#else

const kernels_path *cpu_path_at(size_t index)
{
  return index == 0 ? &kernels_plain : NULL;
}

const kernels_path *cpu_path(void)
{
  return &kernels_plain;
}

#endif

// The smallest number among a core's hardware threads names the core; -1 when unknown.
static int first_sibling(int cpu)
{
  char path[96];
  int first = -1;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
  FILE *file = fopen(path, "r");
  if (file == NULL) return -1;
  if (fscanf(file, "%d", &first) != 1) first = -1;
  fclose(file);
  return first;
}

size_t cpu_cores(void)
{
  cpu_set_t allowed;
  cpu_set_t seen;
  size_t cores = 0;
  CPU_ZERO(&allowed);
  CPU_ZERO(&seen);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    int core = first_sibling(cpu);
    if (core < 0 || core >= CPU_SETSIZE) core = cpu;
    if (CPU_ISSET(core, &seen)) continue;
    CPU_SET(core, &seen);
    cores++;
  }
  return cores > 0 ? cores : 1;
}
