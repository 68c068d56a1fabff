import path from 'node:path'
import { directoryArgument, port } from '../arguments.js'
import { exitStatus } from '../failure.js'
import { untilInterrupt } from '../interrupt.js'
import { print } from '../terminal.js'
import type { Verb } from '../verb.js'

interface Options {
  port?: number
  write?: boolean
}

export const inspect: Verb = {
  name: 'inspect',
  summary: 'look at the log in a browser: its segments, topics, groups and messages',
  description: `Serves a page on this machine, for whoever has the URL that it prints, until Ctrl-C. It shows the log live, also while another process has it
open, and changes nothing. With --write the page can seek groups, trim topics and bring dead letters back, each while nobody has the log open.`,
  examples: `  bookend inspect ./event-log
  bookend inspect ./event-log --port 8080 --write`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .option('-p, --port <number>', 'port on 127.0.0.1 (default: any that is free)', port)
      .option('--write', 'let the page change the log'),

  async run([given], { port: wanted = 0, write = false }: Options) {
    // Only now: no other verb needs a server.
    const { Inspector } = await import('../inspect/server.js')
    await using inspector = await Inspector.open({ directory: path.resolve(given), port: wanted, isWritable: write })
    print(inspector.url)
    await untilInterrupt(
      true,
      (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    )
    return exitStatus.ok
  },
}
