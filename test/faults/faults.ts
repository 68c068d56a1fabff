/** All of them. */
import { agreement } from './agreement.js'
import { attached } from './attached.js'
import { compaction } from './compaction.js'
import { damage } from './damage.js'
import { decisions } from './decisions.js'
import { dyingThreads } from './dying-threads.js'
import { expiry } from './expiry.js'
import type { Fault } from './fault.js'
import { blockLog, shutdown, smallFileSystems } from './file-systems.js'
import { flushErrors } from './flush-errors.js'
import { followers } from './followers.js'
import { fuzz } from './fuzz.js'
import { groups } from './groups.js'
import { httpEnds } from './http/http-ends.js'
import { httpKills } from './http/http-kills.js'
import { httpSubscriptions } from './http/http-subscriptions.js'
import { jetStreamAnswers } from './jetstream/answers.js'
import { jetStreamFailover } from './jetstream/failover.js'
import { jetStreamLate } from './jetstream/late.js'
import { jetStreamMirror } from './jetstream/mirror-kills.js'
import { jetStreamPartitions } from './jetstream/partitions.js'
import { jetStreamProcessing } from './jetstream/processing.js'
import { jobs } from './jobs.js'
import { kill } from './kill.js'
import { killPoints } from './kill-points.js'
import { limits } from './limits.js'
import { packing } from './packing.js'
import { powerCut } from './power-cut.js'
import { races } from './races.js'
import { rewrites } from './rewrites.js'
import { schedules } from './schedules.js'
import { sideIndexes } from './side-indexes.js'
import { slowDisk } from './slow-disk.js'

export const faults: readonly Fault[] = [
  powerCut,
  kill,
  killPoints,
  flushErrors,
  limits,
  slowDisk,
  dyingThreads,
  damage,
  agreement,
  fuzz,
  sideIndexes,
  rewrites,
  compaction,
  packing,
  groups,
  decisions,
  races,
  expiry,
  schedules,
  jobs,
  followers,
  attached,
  httpEnds,
  httpKills,
  httpSubscriptions,
  shutdown,
  smallFileSystems,
  blockLog,
  jetStreamAnswers,
  jetStreamFailover,
  jetStreamLate,
  jetStreamMirror,
  jetStreamPartitions,
  jetStreamProcessing,
]
