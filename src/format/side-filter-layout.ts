/**
 * The filter of a section of a side index: which hashes it may have, a byte and a quarter for each. A page of it answers for some three thousand, where one of
 * rows has 511: most segments that do not have what is looked for say so by one of these.
 *
 * ```
 * page (4096): crc u32 (of the rest), 28 zeros, 127 blocks
 * block (32): 8 words, in each one bit for every hash that falls into the block
 * ```
 *
 * A split-block Bloom filter, as Parquet has it. Hashes fall into blocks in their order, so sorted ones are put in one after the other. It has all hashes of its
 * section, and about one in a hundred of those that are not there.
 */

const bitsPerHash = 10
const blockWords = 8
const firstBlockWord = 8
export const filterBlocksPerPage = 127
const bitsPerBlock = 256

/** Odd numbers, those of Parquet: multiplied with one, a hash has a bit in its word. */
const salts = Uint32Array.of(
  ...[0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31],
)

/** @param rowWords two of each row, which begins with its hash; sorted. @returns 0: they are no more than a page of rows, which says as much itself */
export function filterBlocksOf(rowWords: Uint32Array, rowsPerPage: number): number {
  let distinct = 0
  for (let at = 0; at < rowWords.length; at += 2) if (at === 0 || rowWords[at] !== rowWords[at - 2]) distinct += 1
  return distinct <= rowsPerPage ? 0 : Math.ceil((distinct * bitsPerHash) / bitsPerBlock)
}

export function pagesOfBlocks(blocks: number): number {
  return Math.ceil(blocks / filterBlocksPerPage)
}

/** Which block a hash falls into. */
export function filterBlockOf(hash: number, blocks: number): number {
  return Math.floor((hash * blocks) / 2 ** 32)
}

/** @param words of the page in which the block is */
export function addToFilter(words: Uint32Array, start: number, block: number, hash: number): void {
  const at = start + firstBlockWord + (block % filterBlocksPerPage) * blockWords
  for (let word = 0; word < blockWords; word++) words[at + word] |= 1 << (Math.imul(hash, salts[word]) >>> 27)
}

/** False: the section has no row of the hash. @param words of the page in which the block is */
export function mayBeInFilter(words: Uint32Array, block: number, hash: number): boolean {
  const at = firstBlockWord + (block % filterBlocksPerPage) * blockWords
  for (let word = 0; word < blockWords; word++)
    if ((words[at + word] & (1 << (Math.imul(hash, salts[word]) >>> 27))) === 0) return false
  return true
}
