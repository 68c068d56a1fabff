import { join } from 'node:path'
import { createMappedFile, type MappedFile, unmapFile, viewOf } from './bare-loop/segment-file.js'
import { type Store, type StoreOptions, valueAt } from './contender.js'

const fileBytes = 128 * 1024 * 1024

/** What memory and page faults alone allow: nothing that stores messages in a mapping can be faster. */
export function openMemcpy(options: StoreOptions): Store {
  let files = 0
  let file: MappedFile | undefined
  let bytes: Uint8Array = new Uint8Array(0)
  let at = 0

  function roll(): void {
    if (file !== undefined) unmapFile(file)
    file = createMappedFile(join(options.directory, `${files++}.bin`), fileBytes)
    bytes = viewOf(file)
    at = 0
  }

  return {
    async append(messages, values) {
      for (let index = 0; index < messages; index++) {
        const value = valueAt(values, index)
        if (at + value.length > bytes.length) roll()
        bytes.set(value, at)
        at += value.length
      }
    },

    async close() {
      if (file !== undefined) unmapFile(file)
    },
  }
}
