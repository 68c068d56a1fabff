/**
 * The memory on which koffi makes the calls of a thread: a stack with a guard page, and a heap. It maps them with the thread's first
 * library and never gives them back, so each thread that has ended leaves three mappings and 3 MB of addresses, and a process that
 * starts threads again and again comes to the kernel's bound of 65,530 mappings and is aborted. When the thread has ended nobody
 * uses them any more: whoever knows where they are can unmap them.
 *
 * Nothing is guessed. The thread asks where it is running while it is on that stack, where koffi has put an argument in that heap,
 * and what the kernel has mapped there. Where anything is not as expected, the blocks stay.
 */
import { readFileSync } from 'node:fs'
import type * as Koffi from 'koffi'

export interface AddressRange {
  readonly address: number
  readonly byteLength: number
}

/** Versions that keep their blocks and lay them out like this. One that gives them back itself must not be helped. */
const knownVersions = ['3.3.4']

/** What the calling thread leaves behind. Empty where that is not known. */
export function koffiBlocks(koffi: typeof Koffi, library: Koffi.LibraryHandle, pageBytes: number): AddressRange[] {
  if (!knownVersions.includes(koffi.version)) return []
  try {
    const { sync_stack_size: stackBytes, sync_heap_size: heapBytes } = koffi.config() as Record<string, number>
    const regions = mappedRegions()
    const stack = stackBlock(regions, addressOnStack(koffi, library), stackBytes, pageBytes)
    const heap = heapBlock(regions, addressInHeap(library), heapBytes, pageBytes)
    return [stack, heap].filter((block) => block !== undefined)
  } catch {
    return []
  }
}

/** The C library describes each loaded object in a structure on the stack of whoever asks. */
function addressOnStack(koffi: typeof Koffi, library: Koffi.LibraryHandle): number {
  koffi.proto('int BookendObjectVisitor(uintptr_t description, size_t byteLength, uintptr_t data)')
  const visitObjects = library.func('int dl_iterate_phdr(BookendObjectVisitor *visit, uintptr_t data)')
  let address = 0
  visitObjects((description: number | bigint) => {
    address = Number(description)
    return 1
  }, 0)
  return address
}

/** The first argument that has to be copied for a call stands where the heap begins; `strchr` answers where it has found it. */
function addressInHeap(library: Koffi.LibraryHandle): number {
  return Number(library.func('uintptr_t strchr(const char *text, int letter)')('b', 'b'.charCodeAt(0)))
}

interface Region {
  readonly from: number
  readonly to: number
  readonly access: string
}

function mappedRegions(): Region[] {
  const regions: Region[] = []
  for (const [, from, to, access] of readFileSync('/proc/self/maps', 'latin1').matchAll(/^(\w+)-(\w+) (\S+)/gm))
    regions.push({ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16), access })
  return regions
}

/** A guard page, the stack, and a page more: where the guard ends, the rest begins. */
function stackBlock(
  regions: readonly Region[],
  within: number,
  stackBytes: number,
  pageBytes: number,
): AddressRange | undefined {
  const index = regions.findIndex(({ from, to }) => from <= within && within < to)
  const [guard, stack] = [regions[index - 1], regions[index]]
  if (guard?.access !== '---p' || stack?.access !== 'rw-p' || guard.to !== stack.from) return undefined
  const end = stack.from + stackBytes
  // It grows from its end, and has not come far.
  const isAtItsEnd = within < end && within >= end - 16 * pageBytes
  if (!isAtItsEnd || guard.to - guard.from < pageBytes || stack.to < end + pageBytes) return undefined
  return { address: stack.from - pageBytes, byteLength: stackBytes + 2 * pageBytes }
}

function heapBlock(
  regions: readonly Region[],
  start: number,
  heapBytes: number,
  pageBytes: number,
): AddressRange | undefined {
  const isMapped = regions.some(({ from, to, access }) => access === 'rw-p' && from <= start && start + heapBytes <= to)
  return isMapped && start % pageBytes === 0 ? { address: start, byteLength: heapBytes } : undefined
}
