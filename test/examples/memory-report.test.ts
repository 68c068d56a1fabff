import { expect, test } from 'vitest'
import { parseMappings } from '../../examples/word-count/memory-report.js'

const MAPS = `7f0000000000-7f0001000000 rw-s 00000000 fe:00 12   /tmp/my log/log/00000000000000000000.seg
7f0002000000-7f0002100000 r--s 00000000 fe:00 13   /tmp/my log/log/00000000000016777216.seg (deleted)
7f0003000000-7f0003001000 r--s 00000000 fe:00 14   /tmp/my log/control
7f0004000000-7f0005000000 r--s 00000000 fe:00 15   /tmp/other/log/00000000000000000000.seg
7f0006000000-7f0007000000 r--p 00000000 00:00 0
`

test('only segments of this log count as mapped, deleted ones included', () => {
  expect(parseMappings(MAPS, '/tmp/my log')).toEqual({ bytes: 0x1000000 + 0x100000, residentBytes: undefined })
})

test('the resident part is told where the kernel lists it', () => {
  const smaps = MAPS.replaceAll('\n', '\nSize:  1024 kB\nRss:     8 kB\nPss:    4 kB\nVmFlags: rd sh mr\n')
  expect(parseMappings(smaps, '/tmp/my log')).toEqual({ bytes: 0x1000000 + 0x100000, residentBytes: 16 * 1024 })
})
