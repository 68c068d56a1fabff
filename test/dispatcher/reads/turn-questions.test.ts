import { expect, it } from 'vitest'
import { TurnQuestions } from '../../../src/dispatcher/reads/turn-questions.js'

const one = { id: 0, name: 'one' }
const two = { id: 1, name: 'two' }

/** Answers that double what is asked; the tasks that it took; some that fail wherever they are asked. */
function asking(perTask = (count: number) => count) {
  const tasks: { topic: string; questions: readonly number[] }[] = []
  const failing = new Set<number>()
  const all = new TurnQuestions<number, number>({
    async ask({ name: topic }, questions) {
      tasks.push({ topic, questions })
      const bad = questions.find((question) => failing.has(question))
      if (bad !== undefined) throw new Error(`${bad} is damaged`)
      return questions.map((question) => 2 * question)
    },
    perTask,
  })
  return { all, tasks, failing }
}

it('what is asked about a topic in one turn is one task, whatever is asked later another', async () => {
  const { all, tasks } = asking()
  const answers = [all.ask(one, 1), all.ask(two, 2), all.ask(one, 3)]
  expect(await Promise.all(answers)).toEqual([2, 4, 6])
  expect(await all.ask(one, 4)).toBe(8)
  expect(tasks).toEqual([
    { topic: 'one', questions: [1, 3] },
    { topic: 'two', questions: [2] },
    { topic: 'one', questions: [4] },
  ])
})

it('many questions are several tasks, and each has its own answer', async () => {
  const { all, tasks } = asking(() => 4)
  const asked = Array.from({ length: 10 }, (_, index) => index)
  expect(await Promise.all(asked.map((each) => all.ask(one, each)))).toEqual(asked.map((each) => 2 * each))
  expect(tasks.map(({ questions }) => questions.length)).toEqual([4, 4, 2])
})

it('a question that fails fails alone, and the others are asked in few tasks', async () => {
  const { all, tasks, failing } = asking()
  failing.add(2)
  const outcomes = await Promise.allSettled([1, 2, 3, 4, 5].map((each) => all.ask(one, each)))
  expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([true, false, true, true, true])
  await expect(all.ask(one, 2)).rejects.toThrow('2 is damaged')
  expect(tasks.map(({ questions }) => questions)).toEqual([[1, 2, 3, 4, 5], [1, 2], [3, 4, 5], [1], [2], [2]])
})
