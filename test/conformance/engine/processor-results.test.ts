import { json, type ProcessOptions, text } from 'bookend'
import { describe, expect, it } from 'vitest'
import { collect } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

const module = new URL('../../fixtures/handler-results.mjs', import.meta.url)

onEveryEngine(({ shared, supports }) => {
  describe.runIf(supports.process)('what a topic of results is told by a module', () => {
    const handled = async (values: string[], options: ProcessOptions = {}) => {
      const { log, name } = await shared()
      const topic = log.topic(name, { codec: text })
      await topic.appendMany(values)
      const more = { retries: 0, deadLetter: `${name}-failed`, ...options }
      await using processor = topic.group('g').process(module, { results: `${name}-results`, ...more })
      await processor.idle()
      const told = await collect(log.topic(`${name}-results`, { codec: json }).read())
      const letters = await log.deadLetters(`${name}-failed`).list()
      return { topic, told, letters }
    }

    it('is what each message of a batch has come to', async () => {
      const { topic, told, letters } = await handled(['a', 'nothing', 'c'], { batchSize: 2 })
      expect(told.map(({ keyText, value }) => [keyText, value])).toEqual([
        ['0', { is: 'a' }],
        ['1', null],
        ['2', { is: 'c' }],
      ])
      expect(told[2].headers).toEqual({
        ...{ 'bookend-job-state': 'done', 'bookend-job-topic': topic.name, 'bookend-job-offset': '2' },
        'bookend-job-attempt': '1',
      })
      expect(letters).toEqual([])
    })

    it('is how far a call is with a message, at once', async () => {
      const { told } = await handled(['a', 'far', 'bad', 'far'])
      const said = told.filter(({ headers }) => headers?.['bookend-job-state'] === 'progress')
      // How many messages there are in a batch is up to the engine.
      expect(new Set(said.map(({ keyText }) => keyText))).toEqual(new Set(['1', '3']))
      expect(said.every(({ value }) => value === 50 || value === 'some of it')).toBe(true)
      expect(told.at(-1)).toMatchObject({ keyText: '3', value: { is: 'far' } })
    })

    it('is that a message is given up, with its dead letter', async () => {
      const { told, letters } = await handled(['a', 'bad', 'short', 'd'])
      const last = new Map(told.map(({ keyText, headers }) => [keyText, headers]))
      expect([...last].map(([key, headers]) => [key, headers?.['bookend-job-state']]).sort()).toEqual([
        ['0', 'done'],
        ['1', 'failed'],
        ['2', 'failed'],
        ['3', 'done'],
      ])
      expect(last.get('1')?.['bookend-job-error']).toBe('RangeError: cannot')
      expect(last.get('2')?.['bookend-job-error']).toContain('an array with the result of each message')
      expect(letters.map(({ origin }) => origin.offset)).toEqual([1, 2])
    })

    it('is nothing where nobody has asked, or it is not said of which message', async () => {
      const { letters } = await handled(['far'], { results: undefined })
      expect(letters[0].reason).toContain('needs the option results')
      const { letters: others } = await handled(['whose', 'whose'])
      expect(others).toEqual([])
      const { name } = (await handled([])).topic
      const own = async () => (await shared()).log.topic(name).group('g').process(module, { results: name })
      await expect(own()).rejects.toThrow(RangeError)
    })
  })
})
