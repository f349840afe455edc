#include "wire/utf8.h"

#include <stdint.h>

/* RFC 3629 section 4, one row a first byte:
 *
 *   first   second  more   code points
 *   00..7f  -       0      U+0000 .. U+007F
 *   c2..df  80..bf  0      U+0080 .. U+07FF
 *   e0      a0..bf  1      U+0800 .. U+0FFF
 *   e1..ec  80..bf  1      U+1000 .. U+CFFF
 *   ed      80..9f  1      U+D000 .. U+D7FF    (no surrogates)
 *   ee..ef  80..bf  1      U+E000 .. U+FFFF
 *   f0      90..bf  2      U+10000 .. U+3FFFF
 *   f1..f3  80..bf  2      U+40000 .. U+FFFFF
 *   f4      80..8f  2      U+100000 .. U+10FFFF */
static const struct {
    uint8_t first, last, low, high, more;
} rows[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 0}, {0xe0, 0xe0, 0xa0, 0xbf, 1}, {0xe1, 0xec, 0x80, 0xbf, 1},
    {0xed, 0xed, 0x80, 0x9f, 1}, {0xee, 0xef, 0x80, 0xbf, 1}, {0xf0, 0xf0, 0x90, 0xbf, 2},
    {0xf1, 0xf3, 0x80, 0xbf, 2}, {0xf4, 0xf4, 0x80, 0x8f, 2},
};

static size_t match_row(size_t row, const uint8_t *at, size_t length)
{
    size_t whole = 2u + rows[row].more;
    if (length < whole || at[1] < rows[row].low || at[1] > rows[row].high)
        return 0;
    for (size_t i = 2; i < whole; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return whole;
}

size_t utf8_sequence(const char *text, size_t length)
{
    const uint8_t *at = (const uint8_t *)text;
    if (length == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        if (at[0] >= rows[row].first && at[0] <= rows[row].last)
            return match_row(row, at, length);
    }
    return 0;
}

bool utf8_valid(const char *text, size_t length)
{
    size_t i = 0;
    while (i < length) {
        size_t step = utf8_sequence(text + i, length - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

static bool is_control(const uint8_t *at, size_t step)
{
    return (step == 1 && (at[0] < 0x20 || at[0] == 0x7f)) ||
           (step == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

bool utf8_printable(const char *text, size_t length)
{
    size_t i = 0;
    while (i < length) {
        size_t step = utf8_sequence(text + i, length - i);
        if (step == 0 || is_control((const uint8_t *)text + i, step))
            return false;
        i += step;
    }
    return true;
}

bool ascii_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return true;
}
