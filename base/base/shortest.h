/* The shortest decimal digits of a double. Private to base/base. */
#ifndef SONDE_BASE_SHORTEST_H
#define SONDE_BASE_SHORTEST_H

#include <stdint.h>

#define POWERS_OF_TEN_MIN (-292)
#define POWERS_OF_TEN_COUNT 617

struct power_of_ten {
    uint64_t high, low;
};

extern const struct power_of_ten powers_of_ten[POWERS_OF_TEN_COUNT];

/* 17 significant digits are the most a double needs. */
#define SHORTEST_DIGITS_MAX 17

/* The fewest digits that read back to a finite `value` > 0, of these the nearest to it, without zeros at
 * the end; the decimal point stands after `*point_out` digits. Returns their number. */
int shortest_digits(double value, char *digits, int *point_out);

#endif
