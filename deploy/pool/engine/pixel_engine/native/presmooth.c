/* Gaussian smoothing of a block, as separable passes along x, y and z. */

#include "pixels.h"
#include "vectors.h"

static inline const float *row_of(const float *image, box b, int z, int y) {
    const int64_t width = b.x1 - b.x0, height = b.y1 - b.y0;
    return image + ((z - b.z0) * height + (y - b.y0)) * width;
}

/* Write a row of any length although filters write whole vectors. */
static void filter_into(float *out, const float *const *rows, int n, const kernel *k) {
    const int whole = n / 8 * 8;
    filter_rows(out, rows, whole, k, 1);
    if (whole == n)
        return;
    float end[8];
    const float *ends[2 * MAX_RADIUS + 1];
    float tails[2 * MAX_RADIUS + 1][8];
    for (int j = 0; j <= 2 * k->radius; j++) {
        memset(tails[j], 0, sizeof tails[j]);
        memcpy(tails[j], rows[j] + whole, (size_t)(n - whole) * sizeof(float));
        ends[j] = tails[j];
    }
    filter_rows(end, ends, 8, k, 1);
    memcpy(out + whole, end, (size_t)(n - whole) * sizeof(float));
}

/* Smooth the planes z0 .. z1 along x and y. `work` holds one plane of row_floats(width + 2 radius) columns and
   one row more. */
void presmooth_planes(const float *in, box in_box, float *out, box out_box, extent size, const kernel *k, float *work,
                      int32_t z0, int32_t z1) {
    const int r = k->radius, n = out_box.x1 - out_box.x0, stride = row_floats(n + 2 * MAX_RADIUS);
    const int top = out_box.y0 - r > 0 ? out_box.y0 - r : 0, bottom = out_box.y1 + r < size.y ? out_box.y1 + r : size.y;
    float *padded = work, *plane = work + stride;
    for (int z = z0; z < z1; z++) {
        for (int y = top; y < bottom; y++) {
            pad_row(padded, row_of(in, in_box, z, y), in_box.x0, out_box.x0, out_box.x1, r, size.x);
            filter_along_x(plane + (int64_t)(y - top) * stride, padded, n, out_box.x0, size.x, k);
        }
        for (int y = out_box.y0; y < out_box.y1; y++) {
            const float *rows[2 * MAX_RADIUS + 1];
            for (int j = -r; j <= r; j++)
                rows[j + r] = plane + (int64_t)(mirror(y + j, size.y) - top) * stride;
            filter_into((float *)row_of(out, out_box, z, y), rows, n, k);
        }
    }
}

/* Smooth the rows y0 .. y1 of all planes along z. */
void presmooth_depth(const float *in, box in_box, float *out, box out_box, extent size, const kernel *k, int32_t y0,
                     int32_t y1) {
    const int r = k->radius, n = out_box.x1 - out_box.x0;
    for (int y = y0; y < y1; y++)
        for (int z = out_box.z0; z < out_box.z1; z++) {
            const float *rows[2 * MAX_RADIUS + 1];
            for (int j = -r; j <= r; j++)
                rows[j + r] = row_of(in, in_box, mirror(z + j, size.z), y);
            filter_into((float *)row_of(out, out_box, z, y), rows, n, k);
        }
}
