/* Eigenvalues of symmetric matrices in closed form, in single precision.

   Where a matrix is nearly of rank one, its small eigenvalues are rounding noise, and that noise decides at the
   thresholds of a forest. So the order of the operations is that of fastfilters: the trigonometric formula of
   D. Eberly, "Eigensystems for 3x3 symmetric matrices", after dividing by the largest entry. */

#include "pixels.h"
#include "vectors.h"

/* Both eigenvalues of [xx xy; xy yy]. */
void eigenvalues_2d(const float *xx, const float *xy, const float *yy, float *large, float *small, int n) {
    for (int i = 0; i < n; i += 8) {
        float8 a = load8(xx + i), b = load8(xy + i), c = load8(yy + i);
        float8 mean = (a + c) * 0.5f, half = (a - c) * 0.5f;
        float8 root = sqrt8(half * half + b * b);
        float8 above = mean + root, below = mean - root;
        store8(large + i, max8(above, below));
        store8(small + i, min8(above, below));
    }
}

/* Angle of (x, y) for y >= 0, in 0 .. pi: a polynomial of degree 8 in the square of the smaller quotient. */
static inline float8 angle(float8 y, float8 x) {
    static const float coefficients[] = {0.00282363896258175373077393f, -0.0159569028764963150024414f,
                                         0.0425049886107444763183594f,  -0.0748900920152664184570312f,
                                         0.106347933411598205566406f,   -0.142027363181114196777344f,
                                         0.199926957488059997558594f,   -0.333331018686294555664062f};
    const int8x sign = (int8x)x & (int32_t)0x80000000;
    const int8x negative = sign >> 31;
    const float8 zero = set8(0), width = abs8(x);
    const int8x steep = y > width;
    float8 quadrant = select8(negative, set8(-2), zero) + select8(steep, set8(1), zero);
    float8 divisor = select8(steep, y, width), dividend = select8(steep, -width, y);
    float8 s = dividend / divisor, t = s * s, u = set8(coefficients[0]);
    for (int i = 1; i < 8; i++)
        u = t * u + coefficients[i];
    float8 result = (t * s) * u + s;
    result = quadrant * (float)(M_PI / 2) + result;
    result = (float8)((int8x)result ^ sign);
    result = select8(divisor == zero, set8((float)(M_PI / 2)), result);
    return select8(dividend == zero, select8(negative, set8((float)M_PI), zero), result);
}

/* Sine and cosine for 0 <= x <= pi / 2, by the polynomials of the Cephes library. */
static inline void sine_cosine(float8 x, float8 *sine, float8 *cosine) {
    const int8x octant = (__builtin_convertvector(x * 1.27323954473516f, int8x) + 1) & ~1;
    const float8 turns = __builtin_convertvector(octant, float8);
    x = x + turns * -0.78515625f;
    x = x + turns * -2.4187564849853515625e-4f;
    x = x + turns * -3.77489497744594108e-8f;
    float8 z = x * x;
    float8 c = z * 2.443315711809948e-5f + -1.388731625493765e-3f;
    c = c * z + 4.166664568298827e-2f;
    c = c * z * z - z * 0.5f + 1.0f;
    float8 s = z * -1.9515295891e-4f + 8.3321608736e-3f;
    s = s * z + -1.6666654611e-1f;
    s = s * z * x + x;
    const int8x low = (octant & 2) == 0;
    *sine = select8(low, s, c);
    *cosine = select8(low, c, -s);
}

/* Eigenvalues, largest first, of the matrices with the entries zz, yz, xz, yy, xy, xx. */
void eigenvalues_3d(const float *const a[6], float *const values[3], int n) {
    const float third = (float)(1.0 / 3.0), root3 = sqrtf(3.0f);
    const float8 zero = set8(0);
    for (int i = 0; i < n; i += 8) {
        float8 zz = load8(a[0] + i), yz = load8(a[1] + i), xz = load8(a[2] + i);
        float8 yy = load8(a[3] + i), xy = load8(a[4] + i), xx = load8(a[5] + i);
        float8 scale = max8(max8(max8(abs8(zz), abs8(yz)), max8(abs8(xz), abs8(yy))), max8(abs8(xy), abs8(xx)));
        scale = select8(scale == zero, set8(1), scale);
        zz /= scale, yz /= scale, xz /= scale, yy /= scale, xy /= scale, xx /= scale;

        float8 determinant = zz * yy * xx + 2.0f * yz * xz * xy - zz * xy * xy - yy * xz * xz - xx * yz * yz;
        float8 minors = zz * yy - yz * yz + zz * xx - xz * xz + yy * xx - xy * xy;
        float8 trace = zz + yy + xx, mean = trace * third;
        float8 spread = min8((minors - trace * mean) * third, zero);
        float8 half = 0.5f * (determinant + mean * (2.0f * mean * mean - minors));
        float8 q = min8(half * half + spread * spread * spread, zero);
        float8 length = sqrt8(-spread), sine, cosine;
        sine_cosine(angle(sqrt8(-q), half) * third, &sine, &cosine);

        float8 r0 = mean + 2.0f * length * cosine;
        float8 r1 = mean - length * (cosine + root3 * sine);
        float8 r2 = mean - length * (cosine - root3 * sine);
        float8 small = min8(r0, r1), large = max8(r0, r1);
        float8 least = min8(small, r2), rest = max8(small, r2);
        store8(values[2] + i, least * scale);
        store8(values[1] + i, min8(large, rest) * scale);
        store8(values[0] + i, max8(large, rest) * scale);
    }
}
