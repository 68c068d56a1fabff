/** Names of the channels between the benchmark and its handlers, apart from the module that runs in the reader threads. */
export const askChannel = 'bookend-bench-ask'
export const answerChannel = 'bookend-bench-answer'
