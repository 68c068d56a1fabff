export function map(batch) {
  return batch.length
}

export function reduce(a, b) {
  return a + b
}
