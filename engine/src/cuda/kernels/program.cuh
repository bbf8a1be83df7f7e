// Programs over rows: the interpreter.
//
// A step is its register, then how many operands it adds, subtracts, and how many products it adds
// and subtracts, and then those. An operand is an index with its kind in the top bits.

#define OPERAND_BITS 30
#define REGISTER 0
#define SOURCE 1

struct Program {
  const u32 *code;
  u64 words;
  const Column *sources;
  const Fr *uniforms;
  // One for each thread and register.
  Fr *registers;
  const u32 *outputs;
  Fr *const *to;
  u64 output_count;
  u64 rows;
};

FN Fr operand(const Program &a, u32 word, u64 row) {
  u32 index = word & ((1u << OPERAND_BITS) - 1);
  u32 kind = word >> OPERAND_BITS;
  if (kind == REGISTER) return a.registers[index * thread_count() + thread_number()];
  if (kind == SOURCE) return fetch(a.sources[index], row, a.rows - 1);
  return a.uniforms[index];
}

// The sum of `products` pairs of operands, of which the last `negative` are subtracted.
FN Fr sum_of_products(const Program &a, const u32 *code, u32 products, u32 negative, u64 row) {
  Fr value = zero<OfScalars>();
  u32 done = 0;
  while (done < products) {
    u32 end = products - done < SUM_TERMS ? products : done + SUM_TERMS;
    Sum sum = empty_sum();
    for (; done < end; done++) {
      Fr x = operand(a, code[2 * done], row);
      if (done >= products - negative) x = negated(x);
      add_product(sum, x, operand(a, code[2 * done + 1], row));
    }
    value = value + reduce(sum);
  }
  return value;
}

FN void run_step(const Program &a, const u32 *step, u64 row) {
  const u32 *code = step + 5;
  u32 plus = step[1], minus = step[2], products = step[3] + step[4];
  const u32 *pairs = code + plus + minus;
  Fr value;
  if (products == 1) {
    value = operand(a, pairs[0], row) * operand(a, pairs[1], row);
    if (step[4]) value = negated(value);
  } else {
    value = sum_of_products(a, pairs, products, step[4], row);
  }
  for (u32 i = 0; i < plus; i++) value = value + operand(a, code[i], row);
  for (u32 i = plus; i < plus + minus; i++) value = value - operand(a, code[i], row);
  a.registers[step[0] * thread_count() + thread_number()] = value;
}

KERNEL(run_program, Program, 128) {
  for (u64 row = thread_number(); row < a.rows; row += thread_count()) {
    const u32 *step = a.code;
    const u32 *end = a.code + a.words;
    while (step < end) {
      run_step(a, step, row);
      step += 5 + step[1] + step[2] + 2 * (step[3] + step[4]);
    }
    for (u64 i = 0; i < a.output_count; i++) a.to[i][row] = operand(a, a.outputs[i], row);
  }
}
