/** The limit of the machine: a file that one process writes and another watches, with nothing around it. */
import { closeSync, openSync, readSync, watch, writeSync } from 'node:fs'
import { join } from 'node:path'
import { dueTimeBytes, setDueTime } from '../due-time.js'

/** As long as the product's bell. */
const fileBytes = 64
const fileIn = (directory: string) => join(directory, 'watched')

export function watchBenchFile(directory: string, onChange: (value: Uint8Array) => void): void {
  const descriptor = openSync(fileIn(directory), 'r')
  const value = new Uint8Array(dueTimeBytes)
  watch(fileIn(directory), () => {
    readSync(descriptor, value, 0, dueTimeBytes, 0)
    onChange(value)
  })
}

export function openBenchFile(directory: string): { write(dueUs: number): void; close(): void } {
  const descriptor = openSync(fileIn(directory), 'w')
  const bytes = new Uint8Array(fileBytes)
  const write = (dueUs: number) => {
    setDueTime(bytes, dueUs)
    writeSync(descriptor, bytes, 0, fileBytes, 0)
  }
  write(0)
  return { write, close: () => closeSync(descriptor) }
}
