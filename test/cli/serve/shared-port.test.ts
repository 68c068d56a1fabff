import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { freePlace, sharingOf } from '../../../src/cli/serve/shared-port.js'

it('the kernel shares out ports where Node can have it so', () => {
  const sharing = (node: string, platform: NodeJS.Platform = 'linux') => sharingOf(node, platform)
  for (const node of ['22.12.0', '22.23.3', '23.1.0', '24.0.0', '26.10.0']) expect(sharing(node), node).toBe('reuse')
  for (const node of ['20.20.2', '22.11.0', '23.0.0', '18.0.0']) expect(sharing(node), node).toBe('hand-over')
  for (const platform of ['darwin', 'win32'] as const) expect(sharing('24.0.0', platform)).toBe('hand-over')
})

it('a port that somebody has is not shared with him', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  await expect(freePlace({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  other.close()
  await once(other, 'close')
  expect(await freePlace({ host: '127.0.0.1', port: 0 })).toMatchObject({ address: '127.0.0.1' })
})
