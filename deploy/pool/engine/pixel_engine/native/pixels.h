/* Pixel features and random forests on blocks of a volume: the interface of the compiled kernel.

   Coordinates are those of the whole volume. Arrays are float32, C order (z, y, x). Images continue beyond their
   borders by mirroring without repeating the edge. Nothing here allocates memory or keeps state: callers give
   every buffer, so that any number of threads may work at once. */
#ifndef PIXELS_H
#define PIXELS_H

#include <stdint.h>

/* Everything here is compiled once for each level of processors, into one object: the names tell them apart. */
#ifndef LEVEL
#error "Give the level, -DLEVEL=avx2 say: see build.py."
#endif
#define JOINED(name, level) name##_##level
#define NAMED(name, level) JOINED(name, level)
#define AT_LEVEL(name) NAMED(name, LEVEL)
#define filter_rows AT_LEVEL(filter_rows)
#define filter_along_x AT_LEVEL(filter_along_x)
#define pad_row AT_LEVEL(pad_row)
#define gradient_row AT_LEVEL(gradient_row)
#define laplacian_row AT_LEVEL(laplacian_row)
#define difference_row AT_LEVEL(difference_row)
#define product_row AT_LEVEL(product_row)
#define rank_row AT_LEVEL(rank_row)
#define eigenvalues_2d AT_LEVEL(eigenvalues_2d)
#define eigenvalues_3d AT_LEVEL(eigenvalues_3d)
#define presmooth_planes AT_LEVEL(presmooth_planes)
#define presmooth_depth AT_LEVEL(presmooth_depth)
#define tile_floats AT_LEVEL(tile_floats)
#define tile_features AT_LEVEL(tile_features)
#define forest_bytes AT_LEVEL(forest_bytes)
#define segment AT_LEVEL(segment)
#define probabilities AT_LEVEL(probabilities)

enum { MAX_RADIUS = 64, FILTER_RADIUS = 2, PACKET = 128 };

/* Half a kernel: taps[k] weighs the samples at distance k; odd kernels subtract the left from the right. */
typedef struct {
    int32_t radius;
    int32_t odd;
    float taps[MAX_RADIUS + 1];
} kernel;

typedef struct {
    int32_t z0, z1, y0, y1, x0, x1;
} box;

typedef struct {
    int32_t z, y, x;
} extent;

enum result { SMOOTHING, LAPLACIAN, GRADIENT, DIFFERENCE, STRUCTURE, HESSIAN = STRUCTURE + 3, RESULTS = HESSIAN + 3 };

/* The features of one presmoothed image. want[r] is the slot that result r goes to, or -1. */
typedef struct {
    const float *image;
    int32_t in_2d;
    int32_t want[RESULTS];
    kernel smooth, first, second, narrow, inner_smooth, inner_first;
} scale_job;

/* Where finished rows of features go, as ranks among the thresholds of the forest.

   A slot is a feature column that is needed. The rank of a value is the number of thresholds that are not larger;
   it takes one byte, or two (low in `ranks`, high in `high_ranks`) for slots of more than 255 thresholds. */
typedef struct {
    uint8_t *ranks;            /* [slot][voxel] */
    uint8_t *high_ranks;       /* [slot][voxel], touched for wide slots only */
    uint8_t *bad;              /* [voxel] set to 255 where a feature is not a number, or NULL */
    int64_t voxels;            /* in the tile */
    const float *thresholds;   /* of all slots, each ascending and followed by NaNs up to a power of 2 */
    const int32_t *first;      /* [slot] where its thresholds start */
    const int32_t *count;      /* [slot] how many there are */
} sink;

/* The decisions of a forest, tree after tree, each in preorder. A node asks whether the rank of a slot is at least
   `rank`; if not, the voxel goes to the first child. `mask` is where the voxels that reach the node are marked,
   its children's marks stand at `below` (first) and `below` + 1. A child that is a leaf is given by its class, or
   in forests of mixed leaves by its row of probabilities; NODE means that it is a node. */
enum { NODE = -1 };

typedef struct {
    int32_t slot;
    int32_t rank;
    int32_t first, second;
    int32_t skip;              /* how many nodes to skip where no voxel arrives; 0 if it is not worth asking */
    uint16_t mask, below;
} node;

typedef struct {
    int32_t trees, classes, pure, depth;
    const int32_t *tree_nodes;    /* [trees + 1] where the nodes of each tree start */
    const node *nodes;
    const int32_t *tree_leaves;   /* [trees] where the rows of each tree start; for mixed leaves */
    const float *leaves;          /* [row][class] */
} forest;

/* What the whole classifier decides: forests weighted by their trees, each class with its label. */
typedef struct {
    int32_t forests, classes, trees, channels;
    const forest *members;
    const int32_t *labels;        /* [class] ascending from 1 */
} classifier;

/* rows.c */
void filter_rows(float *out, const float *const *rows, int n, const kernel *k, int fused);
void filter_along_x(float *out, const float *padded, int n, int x0, int width, const kernel *k);
void pad_row(float *padded, const float *row, int row_x0, int x0, int x1, int radius, int width);
void gradient_row(float *out, const float *x, const float *y, const float *z, int n);
void laplacian_row(float *out, const float *x, const float *y, const float *z, int n);
void difference_row(float *out, const float *a, const float *b, int n);
void product_row(float *out, const float *a, const float *b, int n);
void rank_row(const sink *to, int slot, const float *row, int64_t voxel, int n);

static inline int mirror(int i, int n) {
    if (i < 0)
        return -i;
    return i < n ? i : 2 * (n - 1) - i;
}

/* Rows are stored with this many floats, so that whole vectors may be written. */
static inline int row_floats(int n) { return (n + 2 * FILTER_RADIUS + 2 + 31) / 32 * 32 + 32; }

/* eigenvalues.c */
void eigenvalues_2d(const float *xx, const float *xy, const float *yy, float *large, float *small, int n);
void eigenvalues_3d(const float *const a[6], float *const values[3], int n);

/* presmooth.c */
void presmooth_planes(const float *in, box in_box, float *out, box out_box, extent size, const kernel *k, float *work,
                      int32_t z0, int32_t z1);
void presmooth_depth(const float *in, box in_box, float *out, box out_box, extent size, const kernel *k, int32_t y0,
                     int32_t y1);

/* tile.c */
int64_t tile_floats(int32_t height, int32_t width);
void tile_features(const scale_job *jobs, int32_t count, box held, box tile, extent size, float *work, const sink *to);

/* forest.c */
int64_t forest_bytes(const classifier *c);
void segment(const classifier *c, const sink *from, int32_t quick, void *work, uint8_t *labels);
void probabilities(const classifier *c, const sink *from, void *work, float *out);

#endif
