/* A block as the lines of tests/golden/prometheus_block/samples.txt. */
#ifndef SONDE_TESTS_DESCRIBE_BLOCK_H
#define SONDE_TESTS_DESCRIBE_BLOCK_H

#include "base/strbuf.h"
#include "base/vfs.h"

#define GOLDEN "tests/golden/prometheus_block"

/* 0, or the error that reading met. */
int describe_block(struct vfs *fs, const char *directory, struct strbuf *out);
/* samples.txt; the caller's (mem_free). */
char *read_expected(void);
/* Fails with the first line that differs. */
void assert_same_lines(const struct strbuf *ours, const char *expected);

#endif
