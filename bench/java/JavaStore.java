/** What the courses need of a store in Java; the same as `Store` in contenders/contender.ts, without what nobody here offers. */
interface JavaStore extends AutoCloseable {
  interface Appender {
    void append(byte[] value) throws Exception;
  }

  interface Reader {
    /** The next message, as bytes of the caller's own; null: there is none now. */
    byte[] next() throws Exception;
  }

  interface Visitor {
    /** Visits the next messages in place, and returns the sum of their lengths. */
    long visit(long messages) throws Exception;
  }

  /** For one thread. It returns when the message is written, and on the device where the store was opened to be durable. */
  Appender appender() throws Exception;

  /** Returns when readers see so many messages. */
  void settle(long messages) throws Exception;

  /** From the first message on. */
  Reader reader() throws Exception;

  Visitor visitor() throws Exception;

  byte[] get(long index) throws Exception;

  /** Of a thread of its own, and from the first message on. {@link #pause} is how it waits for more. */
  Reader follower() throws Exception;

  /** Called by a follower that found nothing, in the way that the store has for those who do not want to spin. */
  void pause();

  /** Appends `messages`, at most `inFlight` of them unanswered; false: the store has no such form. */
  default boolean appendInFlight(long messages, int inFlight, byte[][] values) throws Exception {
    return false;
  }
}
