/* Separable filters and pointwise combinations on rows of pixels. */

#include "pixels.h"
#include "vectors.h"

/* out[i] = taps[0] rows[r][i] + sum over k of taps[k] (rows[r + k][i] +- rows[r - k][i]), from the centre outwards.
   Whole vectors are read and written. */
static inline void filter(float *out, const float *const *rows, int n, const float *taps, int r, int odd, int fused) {
    const float *const *centre = rows + r;
    int i = 0;
    for (; i + 32 <= n; i += 32) {
        float8 sum[4];
        for (int v = 0; v < 4; v++)
            sum[v] = taps[0] * load8(centre[0] + i + 8 * v);
        for (int j = 1; j <= r; j++) {
            const float8 tap = set8(taps[j]);
            for (int v = 0; v < 4; v++) {
                float8 right = load8(centre[j] + i + 8 * v), left = load8(centre[-j] + i + 8 * v);
                float8 both = odd ? right - left : right + left;
                sum[v] = fused ? fma8(both, tap, sum[v]) : sum[v] + tap * both;
            }
        }
        for (int v = 0; v < 4; v++)
            store8(out + i + 8 * v, sum[v]);
    }
    for (; i < n; i += 8) {
        float8 sum = taps[0] * load8(centre[0] + i);
        for (int j = 1; j <= r; j++) {
            float8 right = load8(centre[j] + i), left = load8(centre[-j] + i);
            float8 both = odd ? right - left : right + left;
            sum = fused ? fma8(both, set8(taps[j]), sum) : sum + set8(taps[j]) * both;
        }
        store8(out + i, sum);
    }
}

/* Filter across rows: rows[0 .. 2 radius]. Fused: each step is rounded once, as by the vectors of fastfilters. */
void filter_rows(float *out, const float *const *rows, int n, const kernel *k, int fused) {
    const float *taps = k->taps;
    const int r = k->radius;
    if (!fused)
        k->odd ? filter(out, rows, n, taps, r, 1, 0) : filter(out, rows, n, taps, r, 0, 0);
    else if (r == 1)
        k->odd ? filter(out, rows, n, taps, 1, 1, 1) : filter(out, rows, n, taps, 1, 0, 1);
    else if (r == 2)
        k->odd ? filter(out, rows, n, taps, 2, 1, 1) : filter(out, rows, n, taps, 2, 0, 1);
    else
        k->odd ? filter(out, rows, n, taps, r, 1, 1) : filter(out, rows, n, taps, r, 0, 1);
}

/* Filter along a row. padded[0] is the sample `radius` before x0; the result is n samples from x0.

   fastfilters rounds twice (no fused step) where it does not use vectors: near both ends of a line. */
void filter_along_x(float *out, const float *padded, int n, int x0, int width, const kernel *k) {
    const float *rows[2 * MAX_RADIUS + 1];
    const int r = k->radius;
    int from = (r + 7) / 8 * 8, to = width > r ? (width - r) / 32 * 32 : 0;
    if (to <= (from + 31) / 32 * 32)
        from = to = width;
    int before = from - x0 < n ? from - x0 : n, after = to - x0 > 0 ? to - x0 : 0;
    for (int j = 0; j <= 2 * r; j++)
        rows[j] = padded + j;
    if (before < n && after > 0)
        filter_rows(out, rows, n, k, 1);
    float edge[64];
    for (int i = 0; i < n;) {
        if (i >= before && i < after) {
            i = after;
            continue;
        }
        int end = i < before ? before : n, m = end - i < 56 ? end - i : 56;
        for (int j = 0; j <= 2 * r; j++)
            rows[j] = padded + i + j;
        filter_rows(edge, rows, m, k, 0);
        memcpy(out + i, edge, (size_t)m * sizeof(float));
        i += m;
    }
}

/* Copy the samples x0 - radius .. x1 + radius of a row whose first sample is at row_x0, mirrored at 0 and width. */
void pad_row(float *padded, const float *row, int row_x0, int x0, int x1, int radius, int width) {
    int from = x0 - radius > 0 ? x0 - radius : 0, to = x1 + radius < width ? x1 + radius : width;
    memcpy(padded + (from - (x0 - radius)), row + (from - row_x0), (size_t)(to - from) * sizeof(float));
    for (int x = x0 - radius; x < from; x++)
        padded[x - (x0 - radius)] = row[mirror(x, width) - row_x0];
    for (int x = to; x < x1 + radius; x++)
        padded[x - (x0 - radius)] = row[mirror(x, width) - row_x0];
}

/* Length of the gradient; z may be NULL. */
void gradient_row(float *out, const float *x, const float *y, const float *z, int n) {
    for (int i = 0; i < n; i += 8) {
        float8 a = load8(x + i), b = load8(y + i), sum = a * a + b * b;
        if (z) {
            float8 c = load8(z + i);
            sum = sum + c * c;
        }
        store8(out + i, sqrt8(sum));
    }
}

/* Sum of the second derivatives; z may be NULL. */
void laplacian_row(float *out, const float *x, const float *y, const float *z, int n) {
    for (int i = 0; i < n; i += 8) {
        float8 sum = load8(x + i) + load8(y + i);
        store8(out + i, z ? sum + load8(z + i) : sum);
    }
}

void difference_row(float *out, const float *a, const float *b, int n) {
    for (int i = 0; i < n; i += 8)
        store8(out + i, load8(a + i) - load8(b + i));
}

void product_row(float *out, const float *a, const float *b, int n) {
    for (int i = 0; i < n; i += 8)
        store8(out + i, load8(a + i) * load8(b + i));
}

/* Count the thresholds that are not larger, one after the other: best for few of them. */
static void rank_few(uint8_t *low, const float *row, int n, const float *thresholds, int count) {
    for (int i = 0; i < n; i += 32) {
        int8x rank[4] = {{0}, {0}, {0}, {0}};
        float8 value[4];
        for (int v = 0; v < 4; v++)
            value[v] = load8(row + i + 8 * v);
        for (int j = 0; j < count; j++) {
            const float8 threshold = set8(thresholds[j]);
            for (int v = 0; v < 4; v++)
                rank[v] -= (int8x)(value[v] >= threshold);
        }
        uint8_t packed[32];
        for (int v = 0; v < 4; v++) {
            byte8 bytes = __builtin_convertvector(rank[v], byte8);
            memcpy(packed + 8 * v, &bytes, 8);
        }
        memcpy(low + i, packed, (size_t)(n - i < 32 ? n - i : 32));
    }
}

/* Halve the thresholds again and again: best for many. They are followed by NaNs. */
static void rank_many(uint8_t *low, uint8_t *high, const float *row, int n, const float *thresholds, int count) {
    int start = 1;
    while (2 * start <= count)
        start *= 2;
    for (int i = 0; i < n; i += 32) {
        int32_t rank[32] = {0};
        for (int step = start; step; step /= 2)
            for (int v = 0; v < 32; v++)
                rank[v] += row[i + v] >= thresholds[rank[v] + step - 1] ? step : 0;
        for (int v = 0; v < 32 && i + v < n; v++) {
            low[i + v] = (uint8_t)rank[v];
            if (high)
                high[i + v] = (uint8_t)(rank[v] >> 8);
        }
    }
}

/* Hand over n values of a slot, the first of which belongs to the given voxel of the tile. */
void rank_row(const sink *to, int slot, const float *row, int64_t voxel, int n) {
    const int64_t at = slot * to->voxels + voxel;
    if (to->bad)
        for (int i = 0; i < n; i++)
            if (row[i] != row[i])
                to->bad[voxel + i] = 255;
    const float *thresholds = to->thresholds + to->first[slot];
    const int count = to->count[slot];
    if (count <= 96)
        rank_few(to->ranks + at, row, n, thresholds, count);
    else
        rank_many(to->ranks + at, count > 255 ? to->high_ranks + at : 0, row, n, thresholds, count);
}
