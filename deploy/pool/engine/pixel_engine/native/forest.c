/* Random forests on many voxels at once.

   Voxels are looked at in packets. A node compares one byte for each voxel (the rank of the feature among the
   thresholds) and splits the mark of those that reached it between its children; marks that arrive at a leaf are
   counted for its class. */

#include "pixels.h"
#include "vectors.h"

enum { VECTORS = PACKET / 32, CHECK_EVERY = 6 };

typedef union {
    uint8_t bytes[PACKET];
    byte32 vectors[VECTORS];
} packet;

static inline byte32 load32(const uint8_t *from) {
    byte32 value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline int any(const packet *p) {
    byte32 sum = p->vectors[0];
    for (int v = 1; v < VECTORS; v++)
        sum |= p->vectors[v];
    uint64_t words[4];
    memcpy(words, &sum, sizeof words);
    return (words[0] | words[1] | words[2] | words[3]) != 0;
}

/* Which of the packet's voxels go to the second child. */
static inline void compare(packet *second, const node *n, const sink *from, int64_t voxel) {
    const int64_t at = n->slot * from->voxels + voxel;
    const byte32 low = (byte32){0} + (uint8_t)n->rank;
    if (from->count[n->slot] <= 255) {
        for (int v = 0; v < VECTORS; v++)
            second->vectors[v] = (byte32)(load32(from->ranks + at + 32 * v) >= low);
        return;
    }
    const byte32 high = (byte32){0} + (uint8_t)(n->rank >> 8);
    for (int v = 0; v < VECTORS; v++) {
        const byte32 a = load32(from->high_ranks + at + 32 * v), b = load32(from->ranks + at + 32 * v);
        second->vectors[v] = (byte32)(a > high) | ((byte32)(a == high) & (byte32)(b >= low));
    }
}

/* Count the leaves that the packet's voxels reach in one tree. Class 0 is not counted: it has the rest. */
static void count_tree(const node *n, const node *end, const sink *from, int64_t voxel, packet *masks, packet *votes) {
    while (n < end) {
        const packet *here = masks + n->mask;
        if (n->skip && !any(here)) {
            n += n->skip;
            continue;
        }
        packet second;
        compare(&second, n, from, voxel);
        if (n->first == NODE)
            for (int v = 0; v < VECTORS; v++)
                masks[n->below].vectors[v] = here->vectors[v] & ~second.vectors[v];
        else if (n->first > 0)
            for (int v = 0; v < VECTORS; v++)
                votes[n->first].vectors[v] -= here->vectors[v] & ~second.vectors[v];
        if (n->second == NODE)
            for (int v = 0; v < VECTORS; v++)
                masks[n->below + 1].vectors[v] = here->vectors[v] & second.vectors[v];
        else if (n->second > 0)
            for (int v = 0; v < VECTORS; v++)
                votes[n->second].vectors[v] -= here->vectors[v] & second.vectors[v];
        n++;
    }
}

/* Write the row of the leaf that each voxel reaches in one tree. */
static void find_leaves(const node *n, const node *end, const sink *from, int64_t voxel, packet *masks, packet *low,
                        packet *high) {
    memset(low, 0, sizeof *low);
    memset(high, 0, sizeof *high);
    for (; n < end; n++) {
        packet second;
        compare(&second, n, from, voxel);
        for (int v = 0; v < VECTORS; v++) {
            const byte32 here = masks[n->mask].vectors[v];
            const byte32 sides[2] = {here & ~second.vectors[v], here & second.vectors[v]};
            const int32_t children[2] = {n->first, n->second};
            for (int side = 0; side < 2; side++) {
                if (children[side] == NODE) {
                    masks[n->below + side].vectors[v] = sides[side];
                    continue;
                }
                low->vectors[v] |= sides[side] & ((byte32){0} + (uint8_t)children[side]);
                high->vectors[v] |= sides[side] & ((byte32){0} + (uint8_t)(children[side] >> 8));
            }
        }
    }
}

/* Find the class with most votes (the first one on a tie), and the margin to the next best.

   `counted` trees have voted so far. */
static void best_class(const packet *votes, int classes, int counted, packet *best, packet *margin, packet *tied) {
    for (int v = 0; v < VECTORS; v++) {
        byte32 rest = (byte32){0} + (uint8_t)counted;
        for (int k = 1; k < classes; k++)
            rest -= votes[k].vectors[v];
        byte32 most = rest, next = {0}, which = {0};
        for (int k = 1; k < classes; k++) {
            const byte32 now = votes[k].vectors[v];
            const byte32 better = (byte32)(now > most);
            const byte32 beaten = (better & most) | (~better & now);
            const byte32 rises = (byte32)(beaten > next);
            next = (rises & beaten) | (~rises & next);
            most = (better & now) | (~better & most);
            which = (better & ((byte32){0} + (uint8_t)k)) | (~better & which);
        }
        best->vectors[v] = which;
        margin->vectors[v] = most - next;
        tied->vectors[v] = (byte32)(most == next);
    }
}

/* Work space of one thread. */
typedef struct {
    packet *masks, *votes;
    float *sums, *chances;
} space;

static int64_t mask_count(const classifier *c) {
    int depth = 0;
    for (int f = 0; f < c->forests; f++)
        depth = c->members[f].depth > depth ? c->members[f].depth : depth;
    return 2 * (int64_t)depth + 3;
}

/* How many bytes of work space the classifier needs. */
int64_t forest_bytes(const classifier *c) {
    return (mask_count(c) + c->classes + 1) * (int64_t)sizeof(packet) + 2 * c->classes * PACKET * (int64_t)sizeof(float);
}

static space divide(const classifier *c, void *work) {
    space s;
    s.masks = (packet *)(((uintptr_t)work + sizeof(byte32) - 1) / sizeof(byte32) * sizeof(byte32));
    s.votes = s.masks + mask_count(c);
    s.sums = (float *)(s.votes + c->classes);
    s.chances = s.sums + c->classes * PACKET;
    memset(s.masks, 255, sizeof *s.masks);
    return s;
}

/* Add up the votes of a forest: for each class, the sum of the leaves' probabilities in float32. */
static void add_votes(const classifier *c, const forest *member, const sink *from, int64_t voxel, const space *s) {
    memset(s->sums, 0, (size_t)c->classes * PACKET * sizeof(float));
    for (int t = 0; t < member->trees; t++) {
        const node *begin = member->nodes + member->tree_nodes[t], *end = member->nodes + member->tree_nodes[t + 1];
        if (!member->pure) {
            packet low, high;
            find_leaves(begin, end, from, voxel, s->masks, &low, &high);
            const float *leaves = member->leaves + (int64_t)member->tree_leaves[t] * c->classes;
            for (int i = 0; i < PACKET; i++) {
                const float *row = leaves + (low.bytes[i] | high.bytes[i] << 8) * c->classes;
                for (int k = 0; k < c->classes; k++)
                    s->sums[k * PACKET + i] += row[k];
            }
            continue;
        }
        /* Bytes hold 255 votes. */
        const int counted = t % 255 + 1;
        if (counted == 1)
            memset(s->votes, 0, (size_t)c->classes * sizeof *s->votes);
        count_tree(begin, end, from, voxel, s->masks, s->votes);
        if (counted < 255 && t < member->trees - 1)
            continue;
        for (int i = 0; i < PACKET; i++) {
            int rest = counted;
            for (int k = 1; k < c->classes; k++) {
                s->sums[k * PACKET + i] += s->votes[k].bytes[i];
                rest -= s->votes[k].bytes[i];
            }
            s->sums[i] += (float)rest;
        }
    }
}

/* ilastik's own arithmetic: each forest's average times its number of trees, added and divided in float32. */
static void packet_probabilities(const classifier *c, const sink *from, int64_t voxel, const space *s) {
    const int n = c->classes * PACKET;
    memset(s->chances, 0, (size_t)n * sizeof(float));
    for (int f = 0; f < c->forests; f++) {
        const float weight = (float)c->members[f].trees;
        add_votes(c, c->members + f, from, voxel, s);
        for (int i = 0; i < n; i++)
            s->chances[i] += s->sums[i] / weight * weight;
    }
    for (int i = 0; i < n; i++)
        s->chances[i] /= (float)c->trees;
}

/* Count the votes of all forests together, and stop when the winners of all n voxels are certain.

   Returns 1 then; otherwise `tied` marks the voxels without a single winner. */
static int count_quickly(const classifier *c, const sink *from, int64_t voxel, int n, const space *s, packet *best,
                         packet *tied) {
    int counted = 0;
    memset(s->votes, 0, (size_t)c->classes * sizeof *s->votes);
    for (int f = 0; f < c->forests; f++) {
        const forest *member = c->members + f;
        for (int t = 0; t < member->trees; t++) {
            count_tree(member->nodes + member->tree_nodes[t], member->nodes + member->tree_nodes[t + 1], from, voxel,
                       s->masks, s->votes);
            const int left = c->trees - ++counted;
            if (counted <= left || (left && (counted - c->trees / 2) % CHECK_EVERY != 1))
                continue;
            packet margin;
            int certain = 1;
            best_class(s->votes, c->classes, counted, best, &margin, tied);
            for (int i = 0; i < n; i++)
                certain &= margin.bytes[i] > left;
            if (certain)
                return 1;
        }
    }
    return 0;
}

static int voxels_in_packet(const sink *from, int64_t voxel) {
    return from->voxels - voxel < PACKET ? (int)(from->voxels - voxel) : PACKET;
}

/* The label of each voxel. `quick`: all leaves are pure and there are at most 255 trees, so that votes may be
   counted in bytes over all forests. Ties are then settled by ilastik's own arithmetic, whose rounding may prefer
   either class; unless quick is 2: it does not round, and the first class wins. */
void segment(const classifier *c, const sink *from, int32_t quick, void *work, uint8_t *labels) {
    const space s = divide(c, work);
    packet best, tied;
    for (int64_t voxel = 0; voxel < from->voxels; voxel += PACKET) {
        const int n = voxels_in_packet(from, voxel);
        const int certain = quick && count_quickly(c, from, voxel, n, &s, &best, &tied);
        if (!certain && quick < 2) {
            packet_probabilities(c, from, voxel, &s);
            for (int i = 0; i < n; i++) {
                if (quick && !tied.bytes[i])
                    continue;
                int winner = 0;
                for (int k = 1; k < c->classes; k++)
                    if (s.chances[k * PACKET + i] > s.chances[winner * PACKET + i])
                        winner = k;
                best.bytes[i] = (uint8_t)winner;
            }
        }
        for (int i = 0; i < n; i++)
            labels[voxel + i] = from->bad && from->bad[voxel + i] ? 1 : (uint8_t)c->labels[best.bytes[i]];
    }
}

/* The probability of each label: out[voxel][channel], channel = label - 1; all zero where a feature is not a
   number. */
void probabilities(const classifier *c, const sink *from, void *work, float *out) {
    const space s = divide(c, work);
    memset(out, 0, (size_t)from->voxels * (size_t)c->channels * sizeof(float));
    for (int64_t voxel = 0; voxel < from->voxels; voxel += PACKET) {
        const int n = voxels_in_packet(from, voxel);
        packet_probabilities(c, from, voxel, &s);
        for (int i = 0; i < n; i++)
            if (!from->bad || !from->bad[voxel + i])
                for (int k = 0; k < c->classes; k++)
                    out[(voxel + i) * c->channels + c->labels[k] - 1] = s.chances[k * PACKET + i];
    }
}
