/* Vectors of WIDTH doubles in GCC's (and clang's) notation, and their loads, stores and roots. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX__)
#include <immintrin.h>
#endif

#ifndef WIDTH
#define WIDTH 4
#endif
#ifndef UNROLL
#define UNROLL 4
#endif

typedef double vec __attribute__((vector_size(8 * WIDTH)));

/* `_Pragma` must stand directly before its loop */
#define PRAGMA(text) _Pragma(#text)
#define UNROLLED(n) PRAGMA(GCC unroll n)
#define EACH(u) UNROLLED(UNROLL) for (int u = 0; u < UNROLL; ++u)

static inline vec load(const double *from)
{
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

static inline void store(double *to, vec v)
{
    memcpy(to, &v, sizeof v);
}

static inline vec root(vec v)
{
#if WIDTH == 8 && defined(__AVX512F__)
    return (vec)_mm512_sqrt_pd((__m512d)v);
#elif WIDTH == 4 && defined(__AVX__)
    return (vec)_mm256_sqrt_pd((__m256d)v);
#else
    for (int j = 0; j < WIDTH; ++j)
        v[j] = sqrt(v[j]);
    return v;
#endif
}
