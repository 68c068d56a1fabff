/** Rows between two threads: in the order of the log, those of published batches only, as many as there is room for. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allocateRows, RowReader, RowWriter } from '../../../src/storage/rows/rows.js'

const rowBytes = 256

function rowsOf(bytes = rowBytes) {
  const shared = allocateRows(bytes)
  return { shared, writer: new RowWriter(shared), reader: new RowReader(shared) }
}

const row = (...words: number[]) => ({ words: Uint32Array.from([...words, 99, 99]), count: words.length })

/** What the reader has found. */
function found({ ring, mask, position, bytes, from, to }: RowReader) {
  return { position, bytes, words: Array.from({ length: to - from }, (_, word) => ring[(from + word) & mask]) }
}

describe('rows', () => {
  it('are seen when they are published, and not before', () => {
    const { writer, reader } = rowsOf()
    writer.put(2 ** 40, 100, row(1, 2, 3))
    expect(reader.seek(0)).toBe(false)
    writer.publish()
    expect(reader.seek(0)).toBe(true)
    expect(found(reader)).toEqual({ position: 2 ** 40, bytes: 100, words: [1, 2, 3] })
  })

  it('that were taken back were never there, and others come in their place', () => {
    const { writer, reader } = rowsOf()
    writer.put(0, 100, row(1))
    writer.publish()
    const { mark } = writer
    writer.put(100, 50, row(2, 2))
    writer.put(150, 50, row(3))
    writer.takeBack(mark, 100)
    writer.put(100, 80, row(4))
    writer.publish()
    expect(reader.seek(100)).toBe(true)
    expect(found(reader)).toEqual({ position: 100, bytes: 80, words: [4] })
    expect(reader.seek(180)).toBe(false)
  })

  it('are not put twice for one batch, nor taken back behind their publication', () => {
    const { writer } = rowsOf()
    const { mark } = writer
    writer.put(0, 100, row(1))
    expect(() => writer.put(50, 100, row(1))).toThrow('one a batch')
    writer.publish()
    expect(() => writer.takeBack(mark, 0)).toThrow('what is published')
  })

  it('that have no room are left out, until some are taken; a new reader goes on where the last one was', () => {
    const { shared, writer, reader } = rowsOf()
    const room = rowBytes / 4 / 5
    for (let batch = 0; batch < 2 * room; batch++) writer.put(batch * 10, 10, row(batch))
    writer.publish()
    const last = Math.floor(room) - 1
    expect(reader.seek(last * 10)).toBe(true)
    expect(found(reader).words).toEqual([last])
    const next = new RowReader(shared)
    expect(next.seek(0)).toBe(true)
    expect(found(next).words).toEqual([last])
    expect(next.seek(last * 10 + 1)).toBe(false)
    writer.put(10_000, 10, row(7))
    writer.publish()
    expect(next.seek(0)).toBe(true)
    expect(found(next)).toEqual({ position: 10_000, bytes: 10, words: [7] })
  })

  it('tell how much of a range they are of', () => {
    const { writer, reader } = rowsOf()
    for (const position of [0, 100, 300, 400]) writer.put(position, 80, row(1))
    writer.publish()
    expect(reader.bytesIn(50, 400)).toBe(160)
    expect(reader.bytesIn(50, 401)).toBe(240)
    expect(reader.bytesIn(500, 600)).toBe(0)
  })

  it('come whole and in order, as many times as the memory is gone round', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(30), fc.boolean(), fc.boolean()), { maxLength: 200 }), (steps) => {
        const { writer, reader } = rowsOf()
        const put: { position: number; bytes: number; words: number[] }[] = []
        let position = 0
        let next = 0
        let published = 0
        for (const [words, isPublished, isRead] of steps) {
          const batch = { position, bytes: 8, words: Array.from({ length: words }, (_, word) => position + word) }
          const { mark } = writer
          writer.put(position, 8, row(...batch.words))
          if (writer.mark > mark) put.push(batch)
          position += 8
          if (isPublished) {
            writer.publish()
            published = put.length
          }
          if (!isRead) continue
          for (; next < published; next++) {
            expect(reader.seek(put[next].position)).toBe(true)
            expect(found(reader)).toEqual(put[next])
          }
          expect(reader.seek(position)).toBe(false)
        }
      }),
    )
  })
})
