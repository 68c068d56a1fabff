/** One server behind a passage that can lose, hold back and cut what goes through it; a log on it, and the mirror of a local one. */
import { open as openLocal, text } from 'bookend'
import { mirror, open } from 'bookend/jetstream'
import { Passage } from '../../support/nats/passage.js'
import { Servers } from '../../support/nats/servers.js'

/** Each topic begins with a message `begin`, and the copy has it. */
export async function behindPassage(name: string, scratch: string, defer: (end: () => Promise<unknown>) => void) {
  const servers = await Servers.start({ sync: 'always' })
  defer(() => servers.stop())
  const passage = await Passage.to(servers.urls[0])
  defer(async () => passage.close())
  const log = await open(passage.url, { name, replicas: 1 })
  defer(() => log.close())
  const local = await openLocal(`${scratch}/local`, { segmentBytes: 1 << 20, readers: 1 })
  defer(() => local.close())
  const copy = await mirror(local, 't', passage.url, { name: 'copies', replicas: 1 })
  defer(() => copy.stop())
  const topic = log.topic('t', { codec: text })
  const outbox = local.topic('t', { codec: text })
  await topic.append('begin')
  await outbox.append('begin')
  await copy.idle()
  return { servers, passage, log, copy, topic, outbox }
}
