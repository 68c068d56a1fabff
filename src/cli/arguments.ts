import { InvalidArgumentError } from 'commander'

/** For options that take seconds. */
export function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0.1 && value <= 3_600) return value
  throw new InvalidArgumentError('It must be a number of seconds from 0.1 to 3600.')
}

/** For options that take a count. */
export function positive(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('It must be a whole number from 1.')
}

export const directoryArgument = ['<directory>', 'directory of the log'] as const
