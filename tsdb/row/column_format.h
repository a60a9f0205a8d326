/* The frozen numbers of the column block format; column_block.c says what the bytes mean.
 *
 * A number once released keeps its meaning for ever. New meanings take reserved numbers, and a
 * reader answers ERR_CORRUPT to every number it does not know.
 */
#ifndef SONDE_ROW_COLUMN_FORMAT_H
#define SONDE_ROW_COLUMN_FORMAT_H

/* Bits 0-4 of the first byte of a block. */
enum column_codec {
    CODEC_CONSTANT = 0,    /* one value */
    CODEC_SPARSE = 1,      /* few rows differ from the one before: (gap, change) pairs */
    CODEC_FRAME = 2,       /* frame of reference: value - minimum */
    CODEC_DELTA = 3,       /* zigzag(value - previous) */
    CODEC_DELTA_FRAME = 4, /* (value - previous) - smallest such step */
    CODEC_DELTA_DELTA = 5, /* zigzag(step - previous step) */
    CODEC_LINEAR = 6,      /* first + row * step */
    CODEC_ULP = 7,         /* decimal and the distance from it in units in the last place */
    CODEC_DICTIONARY = 8,  /* at most 256 values, and an index per row */
    CODEC_DIFFERENCE = 9,  /* integers of another column of the same rows, plus these */
    CODEC_AFFINE = 10,     /* a multiple of another column of the same rows, plus a constant */
    CODEC_RAW = 11,        /* eight bytes a value */
    CODEC_FRONTS = 12,     /* front bits from a short list, the rest of the bits as they are */
    CODEC_COUNT = 13       /* 13..31 are reserved */
};

/* A body of two integer columns begins with their codecs, the first in bits 0-3. */
#define PAIR_CODEC_BITS 4
#define PAIR_CODEC_MASK 0x0f

/* The NaN that Go programs and so most exporters expose; a constant of it has no body. */
#define NAN_BITS 0x7ff8000000000001ull

#define HEAD_CODEC_MASK 0x1f
#define HEAD_RESERVED 0x20
#define HEAD_MAPPING 0x40
#define HEAD_ROWS 0x80

/* Bits 0-3 of the mapping byte: how integers become doubles. */
#define MAPPING_EXPONENT_MASK 0x0f
#define MAPPING_EXPONENT_MAX 12 /* 0 = the integer itself, e = a decimal with e places */
#define MAPPING_BITS 15         /* the integer is the double's bits, ordered; 13, 14 are reserved */

/* Bits 4-5: how a decimal is computed; 0 without a decimal exponent. */
enum decimal_method {
    METHOD_RECIPROCAL = 0, /* product with 10^-e, corrected by two fused multiply-adds */
    METHOD_QUOTIENT = 1,   /* i / 10^e */
    METHOD_PRODUCT = 2,    /* i * 10^-e, as an exporter that converts milliseconds computes it */
    METHOD_HALVES = 3,     /* i / 10^(e/2) / 10^(e/2), e even, as with kernel pressure times */
    METHOD_COUNT = 4
};
#define MAPPING_METHOD_SHIFT 4
#define MAPPING_METHOD_MASK 0x30

#define MAPPING_SCALE 0x40     /* integers were divided by a scale, which follows */
#define MAPPING_REMAINDER 0x80 /* and by a remainder less than the scale, which follows it */

#endif
