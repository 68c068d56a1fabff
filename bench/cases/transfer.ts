/** Moving the bytes of a segment to a file, to a local socket, to TCP: by which system calls, at which cost. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { join } from 'node:path'
import { connectTcp, connectUnix } from '../blocking-socket.js'
import type { MethodName } from '../contenders/catalogue.js'
import { Unavailable } from '../contenders/contender.js'
import { copiesToFile, moves } from '../contenders/methods.js'
import type { Job, Outcome } from '../job.js'
import { measured } from '../resources.js'
import { makeValues } from '../values.js'

const sinkModule = new URL('../sink.js', import.meta.url)

export async function measureTransfer(job: Job): Promise<Outcome> {
  const source = fillFile(join(job.directory, 'source.bin'), job.messages, job.messageBytes)
  const bytes = fs.fstatSync(source).size
  const method = job.contender as MethodName
  const move = moves[method]
  if (job.kind === 'transfer-file') {
    const to = fs.openSync(join(job.directory, 'copy.bin'), 'w')
    const figures = await measured(job.messages, job.messageBytes, async () => move(source, to, bytes))
    if (fs.fstatSync(to).size !== bytes) throw new Error(`the copy has ${fs.fstatSync(to).size} bytes, not ${bytes}`)
    fs.closeSync(to)
    fs.closeSync(source)
    return { figures: { ...figures, copies: copiesToFile[method] } }
  }
  if (method === 'copy-file-range') throw new Unavailable('copy_file_range copies to files only')
  const path = join(job.directory, 'sink.sock')
  const { sink, port } = await startSink(job.kind === 'transfer-unix' ? path : '')
  const socket = job.kind === 'transfer-unix' ? connectUnix(path) : connectTcp(port)
  const received = once(sink, 'message') as Promise<[number]>
  const figures = await measured(job.messages, job.messageBytes, async () => {
    move(source, socket, bytes)
    // Until the other side has it all: what is still in the socket's buffer has not arrived.
    fs.closeSync(socket)
    const [count] = await received
    if (count !== bytes) throw new Error(`${count} bytes arrived, ${bytes} were sent`)
  })
  sink.kill()
  fs.closeSync(source)
  return { figures }
}

/** As many bytes as the messages, in the page cache and written back. */
function fillFile(path: string, messages: number, messageBytes: number): number {
  const file = fs.openSync(path, 'w+')
  const [value] = makeValues(messageBytes)
  for (let index = 0; index < messages; index++) fs.writeSync(file, value!)
  fs.fdatasyncSync(file)
  return file
}

/** A process that reads and drops what comes, so that only the sender's cost is measured here. */
async function startSink(path: string): Promise<{ sink: ChildProcess; port: number }> {
  const sink = fork(sinkModule, [path], { execArgv: [] })
  const [port] = (await once(sink, 'message')) as [number]
  return { sink, port }
}
