/* Random numbers as a pure function of (seed, purpose, index): no state, so that a row gets the
 * same numbers whichever rank, thread or order asks for them. */
#ifndef SHARDSNE_RANDOM_H
#define SHARDSNE_RANDOM_H

#include <stdint.h>

/* What a number is for. Two purposes never share a stream; add at the end, never renumber. */
typedef enum ssne_purpose {
  SSNE_RANDOM_INIT = 1,     /* random start of the embedding */
  SSNE_RANDOM_JITTER = 2,   /* what sets identical rows apart in a PCA start */
  SSNE_RANDOM_SUBSPACE = 3, /* starting directions of the subspace iteration */
  SSNE_RANDOM_DRAWING = 4,  /* drawing order of points */
  SSNE_RANDOM_CELLS = 5,    /* rows that the k-means cells are made from */
  SSNE_RANDOM_RECALL = 6,   /* rows on which the recall of a search is measured */
  SSNE_RANDOM_SUBSET = 7,   /* points that stand for many in a picture */
  SSNE_RANDOM_SPECTRAL = 8, /* what settles signs and repeated eigenvalues of a spectral start */
  SSNE_RANDOM_KRYLOV = 9    /* where eigen-solvers begin */
} ssne_purpose;

/* 64 random bits. Two rounds of the finaliser of SplitMix64 (Steele, Lea & Flood 2014) over the
 * three keys. */
uint64_t ssne_random_bits(uint64_t seed, ssne_purpose purpose, uint64_t index);

/* Uniform in [0, 1), 53 bits. */
double ssne_random_uniform(uint64_t seed, ssne_purpose purpose, uint64_t index);

/* Standard normal (Box & Muller 1958), from the uniforms 2 * index and 2 * index + 1. */
double ssne_random_normal(uint64_t seed, ssne_purpose purpose, uint64_t index);

#endif
