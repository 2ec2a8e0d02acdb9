/* Eight floats at a time.

   Plain operators on these types never fuse a multiplication with an addition (the build says so); only fma8
   does. That keeps every result the same on every machine. */
#ifndef VECTORS_H
#define VECTORS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define HAVE_AVX2 1
#endif

typedef float float8 __attribute__((vector_size(32)));
typedef int32_t int8x __attribute__((vector_size(32)));
typedef uint8_t byte8 __attribute__((vector_size(8)));
typedef uint8_t byte32 __attribute__((vector_size(32)));

static inline float8 load8(const float *from) {
    float8 value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void store8(float *to, float8 value) { memcpy(to, &value, sizeof value); }

static inline float8 set8(float value) { return (float8){value, value, value, value, value, value, value, value}; }

/* Where mask is all ones: yes, where it is zero: no. */
static inline float8 select8(int8x mask, float8 yes, float8 no) {
#ifdef HAVE_AVX2
    return _mm256_blendv_ps(no, yes, (float8)mask);
#else
    return (float8)((mask & (int8x)yes) | (~mask & (int8x)no));
#endif
}

/* a * b + c, rounded once. */
static inline float8 fma8(float8 a, float8 b, float8 c) {
#ifdef HAVE_AVX2
    return _mm256_fmadd_ps(a, b, c);
#else
    float8 result;
    for (int i = 0; i < 8; i++)
        result[i] = fmaf(a[i], b[i], c[i]);
    return result;
#endif
}

static inline float8 sqrt8(float8 a) {
#ifdef HAVE_AVX2
    return _mm256_sqrt_ps(a);
#else
    float8 result;
    for (int i = 0; i < 8; i++)
        result[i] = sqrtf(a[i]);
    return result;
#endif
}

/* The smaller and the larger one; the second where they cannot be compared. */
static inline float8 min8(float8 a, float8 b) { return select8(a < b, a, b); }
static inline float8 max8(float8 a, float8 b) { return select8(a > b, a, b); }

static inline float8 abs8(float8 a) { return (float8)((int8x)a & 0x7fffffff); }

#endif
