import { spawnSync } from 'node:child_process'
import os from 'node:os'

/** Beside the data itself: heaps, code, indexes. */
const otherBytes = 256 * 1024 * 1024
/** A store may hold its data twice: in its file and in a log of its own. */
const copies = 2
/** Length, key or header that each message brings along. */
const messageOverheadBytes = 24
const maxShareOfFree = 0.5
/** Buffers are limited to 4 GiB on Node 20; one of this size is allocated again and again. */
const blockBytes = 256 * 1024 * 1024

/**
 * Touches as much memory as a job will need and gives it back, in a process of its own.
 *
 * A hypervisor with free page reporting takes memory that its guest has not used for two seconds away, and whoever
 * touches it next pays for getting it back: measured, the same bare loop did 4.5 M messages/s after five seconds of
 * idling and 12 M right after another process had freed that memory. Without this step the order of the jobs decides.
 */
export function warmUpMemory(messages: number, messageBytes: number): void {
  const wanted = messages * (messageBytes + messageOverheadBytes) * copies + otherBytes
  const bytes = Math.min(wanted, os.freemem() * maxShareOfFree)
  const program = `const kept = []; for (let n = 0; n < ${Math.ceil(bytes / blockBytes)}; n++) kept.push(Buffer.alloc(${blockBytes}, 1))`
  spawnSync(process.execPath, ['-e', program], { stdio: 'ignore' })
}
