/** Patterns of paths: `*` is one part of a path, `**` any number of them, also none. */

export type Glob = readonly string[]

/** @param pattern percent-encoded as a path is. @throws URIError */
export function globOf(pattern: string): Glob {
  return pattern.split('/').map((part) => encodeURIComponent(decodeURIComponent(part)))
}

/** Takes time in proportion to the product of both lengths at most, whatever the pattern. @param path as `pathOf` writes it */
export function matches(glob: Glob, path: string): boolean {
  const parts = path.split('/')
  let [at, part] = [0, 0]
  /** Where the last `**` stands, and behind how many parts it ends. */
  let [many, ended] = [-1, 0]
  while (part < parts.length) {
    if (glob[at] === '**') {
      many = at++
      ended = part
    } else if (at < glob.length && (glob[at] === '*' || glob[at] === parts[part])) {
      at += 1
      part += 1
    } else if (many >= 0) {
      // It takes one more.
      at = many + 1
      part = ++ended
    } else return false
  }
  while (glob[at] === '**') at += 1
  return at === glob.length
}
