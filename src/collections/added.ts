/**
 * Adds to a list that most often has one item or two: made with them, it has room for them alone, where pushing makes room for many.
 * @returns the list, or what takes its place
 */
export function added<T>(list: T[] | undefined, item: T): T[] {
  if (list === undefined) return [item]
  if (list.length === 1) return [list[0], item]
  list.push(item)
  return list
}
