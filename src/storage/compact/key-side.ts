/** A topic's part of a sealed segment, open to be compared by keys. */
import type { Memory, Window } from '../../memory/memory.js'
import type { Disk } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SealedSegment } from '../index/sealed-index.js'
import type { SealedStretch } from '../index/sealed-stretches.js'
import { type KeyedRows, keyedRowsOf } from './keyed-rows.js'
import { StoredKeys } from './stored-keys.js'

export interface KeySideTools {
  disk: Disk
  files: SegmentFiles
  /** Opens windows without mapping. */
  plainMemory: Memory
}

export interface KeySide {
  /** To be closed. */
  readonly window: Window
  readonly rows: KeyedRows
  readonly keys: StoredKeys
  readonly stretch: SealedStretch
}

/** @throws system errors */
export function openSide(
  tools: KeySideTools,
  { footer }: SealedSegment,
  topic: number,
  stretch: SealedStretch,
): KeySide {
  const { files, plainMemory } = tools
  const window = files.openWindow(plainMemory, stretch.segment)
  try {
    const rows = keyedRowsOf(tools, window, footer, topic, stretch)
    return { window, rows, keys: new StoredKeys(window, topic, stretch, footer.dataEnd), stretch }
  } catch (error) {
    window.close()
    throw error
  }
}
