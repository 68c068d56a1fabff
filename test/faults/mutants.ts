/**
 * Broken variants of the product, each a small patch on a copy of the build, and the fault that must catch it. A test that no
 * mutant fails proves nothing; a patch that does not fit exactly once any more fails here.
 *
 *   node dist/test/faults/mutants.js [--only NAME...]
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Command } from 'commander'
import { root } from './writer-process.js'

interface Mutant {
  name: string
  /** Below dist/src. */
  file: string
  find: string
  replace: string
  fault: string
  scale: number
  /** An endless loop is what it is caught by; anywhere else, not to end in time has proved nothing. */
  mayHang?: true
  needsRoot?: true
}

const mutants: readonly Mutant[] = [
  {
    name: 'acknowledges before the flush',
    file: 'storage/files/flusher.js',
    find: 'for (let at = from; at < to;) {',
    replace: 'for (let at = to; at < to;) {',
    fault: 'power-cut',
    scale: 0.2,
  },
  {
    name: 'does not flush the directory of segments',
    file: 'storage/files/segment-files.js',
    find: 'file.close();\n        }\n        this.#disk.syncDirectory(this.directory);',
    replace: 'file.close();\n        }',
    fault: 'power-cut',
    scale: 0.4,
  },
  {
    name: 'deletes before the trim position is durable',
    file: 'threads/reaper/retainer.js',
    find: 'this.#host.storeTrim();',
    replace: '',
    fault: 'power-cut',
    scale: 0.4,
  },
  {
    name: 'does not zero a torn tail',
    file: 'storage/life/segment-remains.js',
    find: 'file?.write(at, zeros.subarray(0, length));',
    replace: '',
    fault: 'power-cut',
    scale: 0.4,
  },
  {
    name: 'keeps half a group',
    file: 'storage/life/segment-judge.js',
    find: 'Math.max(index.groupEnd, durable)',
    replace: 'Math.max(index.end, durable)',
    fault: 'power-cut',
    scale: 0.4,
  },
  {
    name: 'opens without a flush',
    file: 'storage/life/open-log.js',
    find: 'if (found?.isClean !== false)\n            control.sync();',
    replace: ';',
    fault: 'power-cut',
    scale: 0.05,
  },
  {
    name: 'checks no checksum of a body',
    file: 'format/batch-layout.js',
    find: 'return crc32(bytes.subarray(at + batchHeaderBytes, at + header.bytes)) === header.bodyCrc;',
    replace: 'return true;',
    fault: 'damage',
    scale: 0.2,
  },
  {
    name: 'leaves length and count out of the checksum',
    file: 'format/batch-layout.js',
    find: 'const crcStart = 8;',
    replace: 'const crcStart = 16;',
    fault: 'damage',
    scale: 0.5,
  },
  {
    name: 'takes damage for the end of the log',
    file: 'storage/index/live-index.js',
    find: 'if (!resync)\n                return true;',
    replace: 'return true;',
    fault: 'damage',
    scale: 0.2,
  },
  {
    name: 'believes an index entry',
    file: 'storage/read/topic-reader.js',
    find: 'if (place !== undefined && !this.#isInside(place)) {',
    replace: 'if (place?.batch === 0) {',
    fault: 'damage',
    scale: 2,
  },
  {
    name: 'goes on in the next segment behind a lost message',
    file: 'storage/index/catalog.js',
    find: 'this.stretches(topic, offset + 1, Number.MAX_SAFE_INTEGER)',
    replace: 'this.stretches(topic, offset + 1, Number.MAX_SAFE_INTEGER).slice(1)',
    fault: 'agreement',
    scale: 0.1,
  },
  {
    name: 'meets a segment that is gone, and gives up the messages behind it',
    file: 'storage/read/topic-reader.js',
    find: 'if (this.#files.segmentOf(start) === segment)',
    replace: '',
    fault: 'agreement',
    scale: 0.1,
  },
  {
    name: 'does not look at the size of a segment',
    file: 'storage/files/segment-files.js',
    find: "file.size() === this.segmentBytes ? 'whole' : 'cut'",
    replace: "'whole'",
    fault: 'damage',
    scale: 0.2,
  },
  {
    name: 'trusts the length of a frame',
    file: 'format/frame-walk.js',
    find: 'length > room ? -1 : frame',
    replace: 'frame',
    fault: 'fuzz',
    scale: 0.2,
    mayHang: true,
  },
  {
    name: 'takes any topic number',
    file: 'storage/life/open-log.js',
    find: 'return id < maxTopics && Number.isSafeInteger(next) && first <= next;',
    replace: 'return true;',
    fault: 'fuzz',
    scale: 1,
  },
  {
    name: 'flushes again after a failure, and believes it',
    file: 'threads/reaper/flush-duty.js',
    find: "this.#host.giveUp('flushing the log', error);",
    replace: ';',
    fault: 'flush-errors',
    scale: 0.5,
  },
  {
    name: 'waits for the flush on the thread of the application',
    file: 'dispatcher/appends/acknowledgements.js',
    find: 'this.#unflushed.settle();\n        return head;',
    replace:
      'while (this.#unflushed.length > 0 && state.reaperErrno.load() === 0) { this.#unflushed.settle(); lane.bell.wait(lane.bell.token(), 5); }\n        return head;',
    fault: 'slow-disk',
    scale: 1,
  },
  {
    name: 'does not wait a full disk out',
    file: 'threads/writer/writer.js',
    find: 'if (mayPass(errno)) {',
    replace: 'if (false) {',
    fault: 'limits',
    scale: 1,
  },
  {
    name: 'does not begin a read again',
    file: 'dispatcher/reads/reader-pool.js',
    find: 'const maxAttempts = 3;',
    replace: 'const maxAttempts = 1;',
    fault: 'dying-threads',
    scale: 0.8,
  },
  {
    name: 'does not replace a reaper',
    file: 'local/reaper-thread.js',
    find: "else if (stage.name === 'attended')",
    replace: 'else if (false)',
    fault: 'dying-threads',
    scale: 0.2,
  },
  {
    name: 'acknowledges what it has not written',
    file: 'storage/append/log-tail.js',
    find: 'target.set(frames, body);',
    replace: 'if (this.batchCount % 10 !== 9) target.set(frames, body);',
    fault: 'kill',
    scale: 0.2,
  },
  {
    name: 'acknowledges commits it has not written',
    file: 'threads/writer/commit-writer.js',
    find: 'this.#file.writeSector(group, sequence, this.#sector);',
    replace: '',
    fault: 'kill',
    scale: 0.2,
  },
  {
    name: 'keeps a single record of a group',
    file: 'format/group-layout.js',
    find: 'groupSectorBytes * (1 + (sequence & 1))',
    replace: 'groupSectorBytes',
    fault: 'groups',
    scale: 1,
  },
  {
    name: 'leaves groups ahead of their topic',
    file: 'threads/reaper/group-keeper.js',
    find: 'const isAhead = clamped !== group.state;',
    replace: 'const isAhead = false;',
    fault: 'groups',
    scale: 1,
  },
  {
    name: 'gives batches times that go back',
    file: 'storage/append/log-tail.js',
    find: 'this.#time = Math.max(this.#time, this.#appendedAt);',
    replace: 'this.#time = this.#appendedAt;',
    fault: 'races',
    scale: 1,
  },
  {
    name: 'publishes topics before the position',
    file: 'threads/writer/writer.js',
    find: 'state.published.store(position);\n        for (const id of tail.takeTouched()) {\n            topics.first(id).store(tail.first(id));\n            topics.next(id).store(tail.next(id));\n        }',
    replace:
      'for (const id of tail.takeTouched()) { topics.first(id).store(tail.first(id)); topics.next(id).store(tail.next(id)); } state.published.store(position);',
    fault: 'races',
    scale: 1,
  },
  {
    name: 'publishes and wakes nobody',
    file: 'threads/writer/writer.js',
    find: 'lane.bell.ringIfAsleep();',
    replace: ';',
    fault: 'races',
    scale: 1,
  },
  {
    name: 'answers a flush with what was published meanwhile',
    file: 'threads/reaper/flush-duty.js',
    find: 'this.#ways[lane].answer(heads[lane]);',
    replace: 'this.#ways[lane].answer(this.#ways[lane].published());',
    fault: 'races',
    scale: 1,
  },
  {
    name: 'takes the position of the log before the heads of the lanes',
    file: 'threads/reaper/flush-duty.js',
    find: 'const heads = this.#ways.map((way) => way.published());\n        return { heads, position: this.#parts.state.published.load() };',
    replace:
      'const position = this.#parts.state.published.load(); return { heads: this.#ways.map((way) => way.published()), position };',
    fault: 'races',
    scale: 1,
  },
  {
    name: 'takes the token of its sleep behind its looks',
    file: 'threads/writer/writer-loop.js',
    find: 'bell.wait(token, writer.sleepMs);',
    replace: 'bell.wait(bell.token(), writer.sleepMs);',
    fault: 'races',
    scale: 1,
  },
  {
    name: 'looks, and announces its sleep then',
    file: 'threads/writer/writer-loop.js',
    find: 'isAnnounced ? bell.arm() : bell.token();',
    replace: 'bell.token();',
    fault: 'races',
    scale: 1,
  },
  {
    name: 'counts commits as written before they are',
    file: 'threads/writer/commit-writer.js',
    find: 'for (let index = 0; index < count; index++)',
    replace: 'state.commitDone.store(requested);\n        for (let index = 0; index < count; index++)',
    fault: 'groups',
    scale: 0.1,
  },
  {
    name: 'makes a group before its first record is durable',
    file: 'threads/reaper/group-keeper.js',
    find: 'await this.#sync(this.#file);\n            this.#file.writeIdentity(id, { topic, name });',
    replace: 'this.#file.writeIdentity(id, { topic, name });',
    fault: 'groups',
    scale: 0.1,
  },
  {
    name: 'leaves what a broken write has written',
    file: 'storage/append/tail-file.js',
    find: 'while (this.#writtenTo > from) {',
    replace: 'while (false) {',
    fault: 'races',
    scale: 1,
  },
  {
    name: 'does not take half a group back',
    file: 'storage/append/log-tail.js',
    find: 'this.#cutter.unstamp(run, from, at);\n            this.#takeBack(before);',
    replace: '',
    fault: 'races',
    scale: 1,
  },
  {
    name: 'leaves half made segments behind',
    file: 'storage/life/recovery.js',
    find: 'files.removeUnfinished();',
    replace: ';',
    fault: 'kill-points',
    scale: 0.8,
  },
  {
    name: 'allocates sparse segments',
    file: 'storage/files/segment-files.js',
    find: 'calls.allocate(file.descriptor, to, from);',
    replace: ';',
    fault: 'small-file-systems',
    scale: 0.04,
    needsRoot: true,
  },
  {
    name: 'announces blocks that it has not allocated',
    file: 'threads/reaper/segment-maker.js',
    find: 'files.allocate(segment, at - base, to, calls);',
    replace: ';',
    fault: 'small-file-systems',
    scale: 0.04,
    needsRoot: true,
  },
  {
    name: 'acknowledges before the flush, file system shut down',
    file: 'storage/files/flusher.js',
    find: 'for (let at = from; at < to;) {',
    replace: 'for (let at = to; at < to;) {',
    fault: 'fs-shutdown',
    scale: 0.02,
    needsRoot: true,
  },
  {
    name: 'acknowledges before the flush, block log',
    file: 'storage/files/flusher.js',
    find: 'for (let at = from; at < to;) {',
    replace: 'for (let at = to; at < to;) {',
    fault: 'block-log',
    scale: 0.04,
    needsRoot: true,
  },
]

const limitMs = 480_000

const options = new Command('mutants').option('--only <name...>', 'these only').parse().opts<{ only?: string[] }>()

async function isKilled(mutant: Mutant): Promise<string | undefined> {
  const copy = mkdtempSync(path.join(os.tmpdir(), 'bookend-mutant-'))
  try {
    mkdirSync(path.join(copy, 'dist'))
    for (const folder of ['src', 'workers', 'test']) {
      cpSync(path.join(root, 'dist', folder), path.join(copy, 'dist', folder), { recursive: true })
    }
    cpSync(path.join(root, 'package.json'), path.join(copy, 'package.json'))
    cpSync(path.join(root, 'test'), path.join(copy, 'test'), { recursive: true })
    symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'))
    const file = path.join(copy, 'dist/src', mutant.file)
    const parts = readFileSync(file, 'utf8').split(mutant.find)
    if (parts.length !== 2)
      throw new Error(`the patch fits ${parts.length - 1} places of ${mutant.file}, not one: mend it`)
    writeFileSync(file, parts.join(mutant.replace))
    const args = ['--only', mutant.fault, '--seed', '1', '--scale', String(mutant.scale), '--first-failure']
    const main = path.join(copy, 'dist/test/faults/main.js')
    // A group of its own, so that a mutant that hangs can be ended with all it started.
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text
    })
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      process.kill(-(child.pid as number), 'SIGKILL')
    }, limitMs)
    const status = await new Promise((resolve) => child.once('close', resolve))
    clearTimeout(timer)
    if (isLate && mutant.mayHang) return 'hangs'
    if (isLate) throw new Error(`did not end in ${limitMs / 1000} s: look at it, or give it more time`)
    if (status === 0) return undefined
    const reason = output.split('\n').find((line) => line.startsWith('FAILED '))
    // A fault that could not even start has caught nothing.
    if (reason === undefined) throw new Error(`no verdict, exit status ${status}: ${output.slice(-300)}`)
    return reason.slice(7, 160)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

const isRoot = process.getuid?.() === 0
const chosen = mutants.filter(
  ({ name, fault, needsRoot }) =>
    (isRoot || needsRoot === undefined) &&
    (options.only === undefined || options.only.some((text) => name.includes(text) || fault === text)),
)
if (!isRoot) console.log('without root, mutants of the faults that need it are not run')
let killed = 0
let next = 0
async function lane(): Promise<void> {
  for (let mutant = chosen[next++]; mutant !== undefined; mutant = chosen[next++]) {
    const { name, fault } = mutant
    const start = performance.now()
    try {
      const how = await isKilled(mutant)
      const seconds = ((performance.now() - start) / 1000).toFixed(0)
      if (how !== undefined) killed += 1
      const verdict = how === undefined ? 'LIVES ' : 'killed'
      console.log(`${verdict} ${name} (${fault}, ${seconds} s)${how === undefined ? '' : `: ${how}`}`)
    } catch (error) {
      console.log(`BROKEN ${name}: ${(error as Error).message}`)
    }
  }
}
await Promise.all([lane(), lane()])
console.log(`mutants killed: ${killed} of ${chosen.length}`)
process.exitCode = killed === chosen.length && chosen.length > 0 ? 0 : 1
