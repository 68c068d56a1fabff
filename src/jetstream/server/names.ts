/**
 * What a log, its topics and its groups are called on the servers. Names there have no dots: `=` stands for one, which no name of ours
 * holds, and `+` stands between the two parts of a stream's name, so that no two topics of any two logs share a stream.
 */

/** The last token of a subject. Subjects of stored messages cannot be changed, so there is one, for what may be divided by it some day. */
const lane = '-'

/** The longest name of a log: with that of a topic it makes the name of a stream, of which servers take 255 characters. */
export const maxLogName = 50

function escaped(name: string): string {
  return name.replaceAll('.', '=')
}

export function streamOf(log: string, topic: string): string {
  return `${escaped(log)}+${escaped(topic)}`
}

/** Where messages of the topic are published. */
export function subjectOf(log: string, topic: string): string {
  return `${escaped(log)}.${escaped(topic)}.${lane}`
}

/** What the stream of the topic takes in. */
export function subjectsOf(log: string, topic: string): string {
  return `${escaped(log)}.${escaped(topic)}.*`
}

/** What the streams of all topics of the log take in. */
export function subjectsOfLog(log: string): string {
  return `${escaped(log)}.>`
}

export function consumerOf(group: string): string {
  return escaped(group)
}

/** The name that {@link consumerOf} was made of. */
export function groupOf(consumer: string): string {
  return consumer.replaceAll('=', '.')
}

/** The metadata of a stream that says which log and topic it is. */
export const metadataOf = (log: string, topic: string) => ({ 'bookend-log': log, 'bookend-topic': topic })

export function topicOf({ metadata }: { metadata?: Record<string, string> }): string | undefined {
  return metadata?.['bookend-topic']
}
