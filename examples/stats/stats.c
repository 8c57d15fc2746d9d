/*
 * Reads numbers from standard input, one a line, and prints count, sum, min, max, mean and median.
 *
 * A line that is no number is skipped, with a note on standard error. The exit code is 0; 1 if there was no
 * number at all; 2 if the numbers did not fit into memory or the input could not be read.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_CHARACTERS = 255, NOTES_MAX = 10, FIRST_CAPACITY = 1024 };

typedef struct {
  double *items;
  size_t count;
  size_t capacity;
} Numbers;

typedef struct {
  char text[LINE_MAX_CHARACTERS + 1];
  size_t length;
  bool is_too_long;
} Line;

/* Reads up to the next newline, which it drops; false at the end of the input. */
static bool read_line(FILE *input, Line *line) {
  int character = getc(input);
  if (character == EOF) return false;
  line->length = 0;
  line->is_too_long = false;
  for (; character != EOF && character != '\n'; character = getc(input)) {
    if (line->length < LINE_MAX_CHARACTERS) line->text[line->length++] = (char)character;
    else line->is_too_long = true;
  }
  line->text[line->length] = '\0';
  return true;
}

static bool is_blank(const Line *line) { return strspn(line->text, " \t\r") == line->length; }

/* Plain decimal numbers only: strtod would also take hexadecimal, "nan" and "infinity". */
static bool parse_number(const Line *line, double *number) {
  const char *start = line->text + strspn(line->text, " \t");
  const size_t length = strspn(start, "+-.0123456789eE");
  const char *rest = start + length;
  if (line->is_too_long || length == 0 || rest[strspn(rest, " \t\r")] != '\0') return false;
  if (rest + strspn(rest, " \t\r") != line->text + line->length) return false;
  char *end;
  *number = strtod(start, &end);
  return end == rest && isfinite(*number);
}

static bool append(Numbers *numbers, double number) {
  if (numbers->count == numbers->capacity) {
    const size_t capacity = numbers->capacity == 0 ? FIRST_CAPACITY : numbers->capacity * 2;
    double *items = realloc(numbers->items, capacity * sizeof *items);
    if (items == NULL) return false;
    numbers->items = items;
    numbers->capacity = capacity;
  }
  numbers->items[numbers->count++] = number;
  return true;
}

/* Neumaier's sum: what plain addition of many numbers loses is added at the end. */
static double sum_of(const Numbers *numbers) {
  double sum = 0, lost = 0;
  for (size_t index = 0; index < numbers->count; index++) {
    const double item = numbers->items[index];
    const double next = sum + item;
    lost += fabs(sum) >= fabs(item) ? (sum - next) + item : (item - next) + sum;
    sum = next;
  }
  return isfinite(sum) ? sum + lost : sum;
}

static int ascending(const void *left, const void *right) {
  const double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static double median_of_sorted(const Numbers *numbers) {
  const size_t half = numbers->count / 2;
  if (numbers->count % 2 == 1) return numbers->items[half];
  return numbers->items[half - 1] / 2 + numbers->items[half] / 2;
}

static void print_statistics(Numbers *numbers) {
  const double sum = sum_of(numbers);
  qsort(numbers->items, numbers->count, sizeof *numbers->items, ascending);
  printf("count  %zu\n", numbers->count);
  printf("sum    %.15g\n", sum);
  printf("min    %.15g\n", numbers->items[0]);
  printf("max    %.15g\n", numbers->items[numbers->count - 1]);
  printf("mean   %.15g\n", sum / (double)numbers->count);
  printf("median %.15g\n", median_of_sorted(numbers));
}

int main(void) {
  static Line line;
  Numbers numbers = {0};
  size_t line_number = 0, skipped = 0;

  while (read_line(stdin, &line)) {
    line_number++;
    double number;
    if (is_blank(&line)) continue;
    if (!parse_number(&line, &number)) {
      if (skipped++ < NOTES_MAX) fprintf(stderr, "line %zu skipped: not a number: %.40s\n", line_number, line.text);
    } else if (!append(&numbers, number)) {
      fprintf(stderr, "out of memory after %zu numbers\n", numbers.count);
      return 2;
    }
  }
  if (ferror(stdin)) {
    fprintf(stderr, "cannot read standard input\n");
    return 2;
  }
  if (skipped > NOTES_MAX) fprintf(stderr, "and %zu more lines skipped\n", skipped - NOTES_MAX);
  if (numbers.count == 0) {
    fprintf(stderr, "no number in the input\n");
    return 1;
  }
  print_statistics(&numbers);
  return 0;
}
