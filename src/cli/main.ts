#!/usr/bin/env node
/** Entry of the `bookend` command. */
import { run } from './program.js'

process.exitCode = await run(process.argv.slice(2))
