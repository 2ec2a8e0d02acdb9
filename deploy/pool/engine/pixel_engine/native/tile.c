/* The features of a tile, computed plane after plane so that everything in use stays in the cache.

   A ring keeps the last planes of each intermediate result; a plane of features is finished as soon as the planes
   on both sides of it are there. */

#include "pixels.h"
#include "vectors.h"

enum { RING = 5, DERIVATIVES = 7, TENSOR = 6, SLOPES = 3 };

/* Names of the derivatives after the passes along x and y: orders in x and y. */
enum { D00, D01, D02, D10, D11, D20, NARROW };

typedef struct {
    const scale_job *job;
    box held, tile;
    extent size;
    int stride;      /* floats from row to row of every buffer */
    float *work;
    const sink *to;
} context;

static inline int max_of(int a, int b) { return a > b ? a : b; }
static inline int min_of(int a, int b) { return a < b ? a : b; }

static int wanted(const scale_job *job, int first, int count) {
    for (int i = first; i < first + count; i++)
        if (job->want[i] >= 0)
            return 1;
    return 0;
}

static const float *image_row(const context *c, int z, int y) {
    const box *b = &c->held;
    const int64_t width = b->x1 - b->x0, height = b->y1 - b->y0;
    return c->job->image + ((z - b->z0) * height + (y - b->y0)) * width;
}

static float *take(float **work, const context *c, int64_t rows) {
    float *taken = *work;
    *work += rows * c->stride;
    return taken;
}

static void emit(const context *c, int result, const float *row, int z, int y) {
    const box *t = &c->tile;
    const int n = t->x1 - t->x0, slot = c->job->want[result];
    if (slot >= 0)
        rank_row(c->to, slot, row, ((int64_t)(z - t->z0) * (t->y1 - t->y0) + (y - t->y0)) * n, n);
}

static void emit_eigenvalues(const context *c, int result, const float *const entries[6], int z, int y, float *rows) {
    const int n = c->tile.x1 - c->tile.x0;
    float *values[3] = {rows, rows + c->stride, rows + 2 * c->stride};
    if (c->job->in_2d)
        eigenvalues_2d(entries[5], entries[4], entries[3], values[0], values[1], n);
    else
        eigenvalues_3d(entries, values, n);
    for (int i = 0; i < (c->job->in_2d ? 2 : 3); i++)
        emit(c, result + i, values[i], z, y);
}

/* Filter along y: rows of `plane`, whose first row is y = top. */
static void along_y(const context *c, float *out, const float *plane, int top, int y, const kernel *k, int n) {
    const float *rows[2 * FILTER_RADIUS + 1];
    for (int j = -k->radius; j <= k->radius; j++)
        rows[j + k->radius] = plane + (int64_t)(mirror(y + j, c->size.y) - top) * c->stride;
    filter_rows(out, rows, n, k, 1);
}

/* Filter along z: row number `row` of the planes in a ring of `length` planes of `height` rows. */
static void along_z(const context *c, float *out, const float *ring, int length, int height, int row, int z,
                    const kernel *k, int n) {
    const float *rows[2 * FILTER_RADIUS + 1];
    for (int j = -k->radius; j <= k->radius; j++)
        rows[j + k->radius] = ring + ((int64_t)(mirror(z + j, c->size.z) % length) * height + row) * c->stride;
    filter_rows(out, rows, n, k, 1);
}

/* ---- Gaussian, Laplacian, gradient, difference of Gaussians, Hessian ---- */

static void emit_derivatives(const context *c, float *const ring[DERIVATIVES], int z, float *rows) {
    const scale_job *job = c->job;
    const int height = c->tile.y1 - c->tile.y0, n = c->tile.x1 - c->tile.x0, flat = job->in_2d;
    const int hessian = wanted(job, HESSIAN, 3), laplacian = job->want[LAPLACIAN] >= 0;
    const int gradient = job->want[GRADIENT] >= 0, difference = job->want[DIFFERENCE] >= 0;
    float *r[13];
    for (int i = 0; i < 13; i++)
        r[i] = rows + (int64_t)i * c->stride;
    for (int i = 0; i < height; i++) {
        const int y = c->tile.y0 + i;
        /* After this, row[d] is derivative d smoothed along z. */
        const float *row[DERIVATIVES];
        const int used[DERIVATIVES] = {difference || job->want[SMOOTHING] >= 0, gradient, hessian || laplacian,
                                       gradient, hessian, hessian || laplacian, difference};
        for (int d = 0; d < DERIVATIVES; d++) {
            row[d] = flat ? ring[d] + (int64_t)i * c->stride : r[d];
            if (used[d] && !flat)
                along_z(c, r[d], ring[d], RING, height, i, z, d == NARROW ? &job->narrow : &job->smooth, n);
        }
        float *zz = r[7], *z1 = r[8];
        if (!flat && (hessian || laplacian))
            along_z(c, zz, ring[D00], RING, height, i, z, &job->second, n);
        emit(c, SMOOTHING, row[D00], z, y);
        if (laplacian) {
            laplacian_row(r[9], row[D20], row[D02], flat ? 0 : zz, n);
            emit(c, LAPLACIAN, r[9], z, y);
        }
        if (gradient) {
            if (!flat)
                along_z(c, z1, ring[D00], RING, height, i, z, &job->first, n);
            gradient_row(r[9], row[D10], row[D01], flat ? 0 : z1, n);
            emit(c, GRADIENT, r[9], z, y);
        }
        if (difference) {
            difference_row(r[9], row[D00], row[NARROW], n);
            emit(c, DIFFERENCE, r[9], z, y);
        }
        if (hessian) {
            float *yz = r[7 + 1], *xz = r[9];
            if (!flat) {
                along_z(c, yz, ring[D01], RING, height, i, z, &job->first, n);
                along_z(c, xz, ring[D10], RING, height, i, z, &job->first, n);
            }
            const float *const entries[6] = {zz, yz, xz, row[D02], row[D11], row[D20]};
            emit_eigenvalues(c, HESSIAN, entries, z, y, r[10]);
        }
    }
}

static void derivatives(const context *c) {
    const scale_job *job = c->job;
    const box *t = &c->tile;
    const int height = t->y1 - t->y0, n = t->x1 - t->x0, flat = job->in_2d;
    const int hessian = wanted(job, HESSIAN, 3), second = hessian || job->want[LAPLACIAN] >= 0;
    const int first = hessian || job->want[GRADIENT] >= 0, difference = job->want[DIFFERENCE] >= 0;
    const int top = max_of(t->y0 - FILTER_RADIUS, 0), bottom = min_of(t->y1 + FILTER_RADIUS, c->size.y);
    const int halo = flat ? 0 : FILTER_RADIUS;
    const int front = max_of(t->z0 - halo, 0), back = min_of(t->z1 + halo, c->size.z);
    const kernel *x_kernels[4] = {&job->smooth, first ? &job->first : 0, second ? &job->second : 0,
                                  difference ? &job->narrow : 0};
    float *work = c->work, *planes[4], *ring[DERIVATIVES];
    float *padded = take(&work, c, 1), *rows = take(&work, c, 13);
    for (int i = 0; i < 4; i++)
        planes[i] = take(&work, c, height + 2 * FILTER_RADIUS);
    for (int i = 0; i < DERIVATIVES; i++)
        ring[i] = take(&work, c, (int64_t)RING * height);
    const struct {
        int plane;
        const kernel *k;
        int used;
    } y_passes[DERIVATIVES] = {
        [D00] = {0, &job->smooth, 1},         [D01] = {0, &job->first, first},  [D02] = {0, &job->second, second},
        [D10] = {1, &job->smooth, first},     [D11] = {1, &job->first, hessian}, [D20] = {2, &job->smooth, second},
        [NARROW] = {3, &job->narrow, difference}};

    int next = t->z0;
    for (int z = front; z < back; z++) {
        for (int y = top; y < bottom; y++) {
            for (int i = 0; i < 4; i++) {
                if (!x_kernels[i])
                    continue;
                const int r = x_kernels[i]->radius;
                pad_row(padded, image_row(c, z, y), c->held.x0, t->x0, t->x1, r, c->size.x);
                filter_along_x(planes[i] + (int64_t)(y - top) * c->stride, padded, n, t->x0, c->size.x, x_kernels[i]);
            }
        }
        float *slice[DERIVATIVES];
        for (int d = 0; d < DERIVATIVES; d++) {
            slice[d] = flat ? ring[d] : ring[d] + (int64_t)(z % RING) * height * c->stride;
            if (y_passes[d].used)
                for (int i = 0; i < height; i++)
                    along_y(c, slice[d] + (int64_t)i * c->stride, planes[y_passes[d].plane], top, t->y0 + i,
                            y_passes[d].k, n);
        }
        while (next < t->z1 && min_of(next + halo, c->size.z - 1) <= z)
            emit_derivatives(c, ring, next++, rows);
    }
}

/* ---- Structure tensor ---- */

/* Products of slopes in the order zz, yz, xz, yy, xy, xx. */
static const int factors[TENSOR][2] = {{2, 2}, {1, 2}, {0, 2}, {1, 1}, {0, 1}, {0, 0}};

/* Multiply the slopes of a plane, smooth the products along x and y. slopes[a] has rows from `top`, columns from
   `left`; the result goes to `smoothed`, one plane of the tile's height for each product. */
static void tensor_plane(const context *c, const float *const slopes[SLOPES], int top, int bottom, int left, int right,
                         float *planes, float *const smoothed[TENSOR], float *rows) {
    const box *t = &c->tile;
    const int height = t->y1 - t->y0, n = t->x1 - t->x0, plane_rows = height + 2 * FILTER_RADIUS;
    float *product = rows, *padded = rows + c->stride;
    for (int p = 0; p < TENSOR; p++) {
        if (c->job->in_2d && (factors[p][0] == 2 || factors[p][1] == 2))
            continue;
        float *plane = planes + (int64_t)p * plane_rows * c->stride;
        for (int y = top; y < bottom; y++) {
            const int64_t at = (int64_t)(y - top) * c->stride;
            product_row(product, slopes[factors[p][0]] + at, slopes[factors[p][1]] + at, right - left);
            pad_row(padded, product, left, t->x0, t->x1, c->job->smooth.radius, c->size.x);
            filter_along_x(plane + at, padded, n, t->x0, c->size.x, &c->job->smooth);
        }
        for (int i = 0; i < height; i++)
            along_y(c, smoothed[p] + (int64_t)i * c->stride, plane, top, t->y0 + i, &c->job->smooth, n);
    }
}

static void emit_tensor(const context *c, float *const ring[TENSOR], int z, float *rows) {
    const int height = c->tile.y1 - c->tile.y0, n = c->tile.x1 - c->tile.x0, flat = c->job->in_2d;
    for (int i = 0; i < height; i++) {
        const float *entries[TENSOR];
        for (int p = 0; p < TENSOR; p++) {
            float *row = rows + (int64_t)p * c->stride;
            entries[p] = flat ? ring[p] + (int64_t)i * c->stride : row;
            if (!flat)
                along_z(c, row, ring[p], RING, height, i, z, &c->job->smooth, n);
        }
        emit_eigenvalues(c, STRUCTURE, entries, z, c->tile.y0 + i, rows + (int64_t)TENSOR * c->stride);
    }
}

static void structure(const context *c) {
    const scale_job *job = c->job;
    const box *t = &c->tile;
    const int height = t->y1 - t->y0, flat = job->in_2d, r = job->inner_smooth.radius;
    const int left = max_of(t->x0 - FILTER_RADIUS, 0), right = min_of(t->x1 + FILTER_RADIUS, c->size.x);
    const int top = max_of(t->y0 - FILTER_RADIUS, 0), bottom = min_of(t->y1 + FILTER_RADIUS, c->size.y);
    const int halo = flat ? 0 : FILTER_RADIUS, inner = flat ? 0 : r;
    const int front = max_of(t->z0 - halo, 0), back = min_of(t->z1 + halo, c->size.z);
    const int n = right - left, slope_rows = height + 2 * FILTER_RADIUS;
    const int first_row = max_of(top - r, 0), last_row = min_of(bottom + r, c->size.y);
    float *work = c->work;
    float *padded = take(&work, c, 1), *rows = take(&work, c, 9);
    float *x0 = take(&work, c, slope_rows + 2), *x1 = take(&work, c, slope_rows + 2);
    float *early[SLOPES], *slopes[SLOPES], *ring[TENSOR];
    for (int a = 0; a < SLOPES; a++) {
        early[a] = take(&work, c, (int64_t)3 * slope_rows);
        slopes[a] = take(&work, c, slope_rows);
    }
    for (int p = 0; p < TENSOR; p++)
        ring[p] = take(&work, c, (int64_t)RING * height);
    float *planes = take(&work, c, (int64_t)TENSOR * slope_rows);

    int next_slope = front, next = t->z0;
    for (int z = max_of(front - inner, 0); z < min_of(back + inner, c->size.z); z++) {
        for (int y = first_row; y < last_row; y++) {
            const int64_t at = (int64_t)(y - first_row) * c->stride;
            pad_row(padded, image_row(c, z, y), c->held.x0, left, right, r, c->size.x);
            filter_along_x(x0 + at, padded, n, left, c->size.x, &job->inner_smooth);
            filter_along_x(x1 + at, padded, n, left, c->size.x, &job->inner_first);
        }
        /* Slopes in x, y and z after the passes along x and y; in 2D the first two are finished. */
        const int64_t slot = flat ? 0 : (int64_t)(z % 3) * slope_rows * c->stride;
        for (int y = top; y < bottom; y++) {
            const int64_t at = slot + (int64_t)(y - top) * c->stride;
            along_y(c, early[0] + at, x1, first_row, y, &job->inner_smooth, n);
            along_y(c, early[1] + at, x0, first_row, y, &job->inner_first, n);
            if (!flat)
                along_y(c, early[2] + at, x0, first_row, y, &job->inner_smooth, n);
        }
        while (next_slope < back && min_of(next_slope + inner, c->size.z - 1) <= z) {
            if (!flat)
                for (int a = 0; a < SLOPES; a++)
                    for (int i = 0; i < bottom - top; i++)
                        along_z(c, slopes[a] + (int64_t)i * c->stride, early[a], 3, slope_rows, i, next_slope,
                                a == 2 ? &job->inner_first : &job->inner_smooth, n);
            float *smoothed[TENSOR];
            for (int p = 0; p < TENSOR; p++)
                smoothed[p] = ring[p] + (flat ? 0 : (int64_t)(next_slope % RING) * height * c->stride);
            tensor_plane(c, (const float *const *)(flat ? early : slopes), top, bottom, left, right, planes, smoothed,
                         rows);
            while (next < t->z1 && min_of(next + halo, c->size.z - 1) <= next_slope)
                emit_tensor(c, ring, next++, rows);
            next_slope++;
        }
    }
}

/* How many floats of work space a tile of this height and width needs. */
int64_t tile_floats(int32_t height, int32_t width) {
    const int64_t tall = height + 2 * FILTER_RADIUS + 2;
    const int64_t derivative_rows = 14 + 4 * tall + (int64_t)DERIVATIVES * RING * height;
    const int64_t tensor_rows = 10 + 2 * tall + SLOPES * 4 * tall + (int64_t)TENSOR * RING * height + TENSOR * tall;
    return (derivative_rows > tensor_rows ? derivative_rows : tensor_rows) * row_floats(width) + 64;
}

/* All features of a tile. The images of the jobs cover the box `held`, which extends 3 pixels beyond the tile in
   every filtered direction, or to the border of the volume. */
void tile_features(const scale_job *jobs, int32_t count, box held, box tile, extent size, float *work, const sink *to) {
    for (int i = 0; i < count; i++) {
        context c = {jobs + i, held, tile, size, row_floats(tile.x1 - tile.x0), work, to};
        if (wanted(jobs + i, SMOOTHING, STRUCTURE) || wanted(jobs + i, HESSIAN, 3))
            derivatives(&c);
        if (wanted(jobs + i, STRUCTURE, 3))
            structure(&c);
    }
}
