import { BookendError, isThreadDeath } from '../errors.js'

const missingCodes = new Set(['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND', 'ERR_INVALID_URL'])

/**
 * What a bundled program meets: the files of the threads are not where the package has them, or `import.meta.url` is gone (a bundle
 * in CommonJS). undefined: the failure is another one.
 */
export function notLoadedError(error: unknown): BookendError | undefined {
  const cause = isThreadDeath(error) ? error.cause : error
  const { code, message } = (cause ?? {}) as NodeJS.ErrnoException
  if (code === undefined || !missingCodes.has(code)) return undefined
  const hint =
    'leave the packages bookend, piscina and koffi out of the bundle (external): see docs/recipes/bundlers.md'
  const text = `the threads of the log do not load, since their files are not beside the program (${message}). If it is bundled, ${hint}`
  return new BookendError('BOOKEND_WORKER', text, { cause })
}
