/** The whole pages that hold `[address, address + byteLength)`: the kernel takes aligned addresses only. */
export function pageRange(
  address: number,
  byteLength: number,
  kernelPageBytes: number,
): { from: number; bytes: number } {
  // Division, not bit masks: addresses have 47 bits and JavaScript's masks have 32.
  const from = Math.floor(address / kernelPageBytes) * kernelPageBytes
  const to = Math.ceil((address + byteLength) / kernelPageBytes) * kernelPageBytes
  return { from, bytes: to - from }
}
