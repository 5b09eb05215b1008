package dev.twinrank.core.internal.life;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;

/**
 * Keeps the books of native memory against a limit. Thread-safe.
 *
 * <p>Books, not an allocator: what is taken here has been asked for before it is allocated, and is
 * given back when the owner has let go of it.
 */
public final class Budget {
  private final long limit;
  private final AtomicLong used = new AtomicLong();
  private final Set<Account> accounts = ConcurrentHashMap.newKeySet();

  /** Starts with nothing taken. */
  public Budget(long limit) {
    this.limit = limit;
  }

  /** Returns the limit, in bytes. */
  public long limit() {
    return limit;
  }

  /** Returns how much is taken, in bytes; never more than the limit. */
  public long used() {
    return used.get();
  }

  /** Returns how much each owner has taken; owners of one name are added up. */
  public Map<String, Long> reservations() {
    Map<String, Long> byOwner = new TreeMap<>();
    for (Account account : accounts) {
      byOwner.merge(account.owner, account.bytes(), Long::sum);
    }
    return byOwner;
  }

  /** Returns what is taken, of how much and by whom, as words for a message. */
  public String describe() {
    String owners =
        reservations().entrySet().stream()
            .map(each -> each.getKey() + " " + each.getValue())
            .collect(Collectors.joining(", "));
    return used()
        + " of "
        + limit
        + " are taken ("
        + (owners.isEmpty() ? "by nobody" : owners)
        + ")";
  }

  /** Opens an account; its owner closes it. */
  public Account open(String owner) {
    Account account = new Account(owner);
    accounts.add(account);
    return account;
  }

  private boolean take(long bytes) {
    long now = used.get();
    while (bytes <= limit - now) {
      long seen = used.compareAndExchange(now, now + bytes);
      if (seen == now) {
        return true;
      }
      now = seen;
    }
    return false;
  }

  /** What one owner has taken. Thread-safe. */
  public final class Account implements AutoCloseable {
    private final String owner;
    private volatile Runnable dropIdle = () -> {};
    private long bytes;
    private boolean closed;

    private Account(String owner) {
      this.owner = owner;
    }

    /** Returns the budget that this is an account of. */
    public Budget budget() {
      return Budget.this;
    }

    /** Says how the owner gives back what it only keeps for later; called on any thread. */
    public void onShortage(Runnable drop) {
      dropIdle = drop;
    }

    /**
     * Takes bytes; if they do not fit, after this owner, and then every other of the budget, has
     * dropped what it only keeps for later.
     *
     * @param more not negative
     * @return whether they fit; nothing is taken otherwise
     */
    public boolean take(long more) {
      if (tryTake(more)) {
        return true;
      }
      dropIdle.run();
      if (tryTake(more)) {
        return true;
      }
      for (Account other : accounts) {
        if (other != this) {
          other.dropIdle.run();
        }
      }
      return tryTake(more);
    }

    private synchronized boolean tryTake(long more) {
      if (more < 0) {
        throw new IllegalArgumentException("a budget cannot give " + more + " bytes");
      }
      if (closed || !Budget.this.take(more)) {
        return false;
      }
      bytes += more;
      return true;
    }

    /** Gives bytes back. After {@link #close}, which gave back everything, it does nothing. */
    public synchronized void give(long less) {
      if (closed) {
        return;
      }
      if (less < 0 || less > bytes) {
        throw new IllegalArgumentException(
            owner + " gives back " + less + " bytes and has taken " + bytes);
      }
      bytes -= less;
      used.addAndGet(-less);
    }

    private synchronized long bytes() {
      return bytes;
    }

    /** Gives everything back, for good. Idempotent. */
    @Override
    public synchronized void close() {
      if (!closed) {
        closed = true;
        used.addAndGet(-bytes);
        bytes = 0;
        accounts.remove(this);
      }
    }
  }
}
