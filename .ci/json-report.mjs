// Vitest's JSON report, and in it what that leaves out: the errors that no test has caught, which fail a run all the same.
import { JsonReporter } from 'vitest/node'

export default class extends JsonReporter {
  #unhandled = []

  onTestRunEnd(modules, errors) {
    this.#unhandled = errors.map(({ VITEST_TEST_PATH: file, stack, message }) => ({ file, error: stack ?? message }))
    return super.onTestRunEnd(modules)
  }

  writeReport(report) {
    return super.writeReport(JSON.stringify({ ...JSON.parse(report), unhandledErrors: this.#unhandled }))
  }
}
