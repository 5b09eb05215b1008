/**
 * Opens a bundle, proves it against its own goldens, and scores slates with it: with the bits that
 * training gave, at the speed of the bare runtime.
 *
 * <h2>Five steps</h2>
 *
 * <p><b>1. The dependency</b> is {@code dev.twinrank:twinrank-core}, for JDK 17 and newer. It
 * brings {@code onnxruntime}, {@code jackson-core} and {@code hash4j}, and nothing else. On JDK 22
 * and newer {@code dev.twinrank:twinrank-ffm} beside it allocates less on each call; it is found by
 * itself.
 *
 * <p><b>2. A store</b> holds models that lie under {@code <models>/<name>/<version>}. Opening a
 * version checks its digests and its graph, replays its goldens, and refuses it with all its
 * problems if a bit differs. One {@link dev.twinrank.core.ModelStore} serves a process:
 *
 * <pre>{@code
 * ModelOptions options = ModelOptions.builder().memory(MemoryBudget.of(1L << 30)).build();
 * ModelStore store =
 *     ModelStore.open(Path.of("models"), StoreOptions.builder().model(options).build());
 * store.activate("shop", 1);
 * }</pre>
 *
 * <p>An application with one model that never changes needs no store: {@code Model.open(path)}.
 *
 * <p><b>3. Handles</b> are features whose names and types were looked up. Take them once; they work
 * for every version that has these features:
 *
 * <pre>{@code
 * Handle.OfString user;
 * Handle.OfLong when;
 * Handle.OfDouble budget;
 * Handle.OfString item;
 * Handle.OfLong stock;
 * Handle.OfDouble price;
 * Handle.OfDouble quality;
 * Handle.OfDouble margin;
 * try (ModelStore.Lease lease = store.acquire("shop")) {
 *   Schema schema = lease.model().schema();
 *   user = schema.string("user");
 *   when = schema.integer("when");
 *   budget = schema.number("budget");
 *   item = schema.string("item");
 *   stock = schema.integer("stock");
 *   price = schema.number("price");
 *   quality = schema.number("quality");
 *   margin = schema.number("margin");
 * }
 * }</pre>
 *
 * <p><b>4. A slate</b> is one request, written into the memory that the graph reads: the context by
 * single values, the candidates by columns. <b>5. Rank</b> it, before a deadline:
 *
 * <pre>{@code
 * try (ModelStore.Lease lease = store.acquire("shop");
 *     Slate slate = lease.model().slate(items.length)) {
 *   slate.set(user, "ann");
 *   slate.set(when, System.currentTimeMillis());
 *   slate.set(budget, 40.0);
 *   slate.column(item, items);
 *   slate.column(stock, stocks);
 *   slate.column(price, prices);
 *   slate.column(quality, qualities);
 *   slate.column(margin, margins);
 *   Ranking top = lease.model().rank(slate, 10, Cancellation.after(Duration.ofMillis(50)));
 *   for (int place = 0; place < top.size(); place++) {
 *     System.out.println(items[top.index(place)] + " " + top.score(place));
 *   }
 * } catch (ScoringException e) {
 *   System.err.println(e.code().code() + ": " + e.getMessage()); // this request; the model goes on
 * }
 * }</pre>
 *
 * <p>A request that arrives as JSON needs no handles: {@code model.rank(model.parse(bytes))}.
 *
 * <h2>While it serves</h2>
 *
 * <p>Another version is activated while callers rank; those that hold a lease end with the version
 * they began with. One call goes back. {@code verify} replays the goldens on the model that serves,
 * and {@code statistics} has counted what was asked, absorbed and refused:
 *
 * <pre>{@code
 * store.activate("shop", 2);
 * store.rollback("shop");
 * try (ModelStore.Lease lease = store.acquire("shop")) {
 *   System.out.println(lease.model().verify().passed());
 *   System.out.println(lease.model().statistics().requests());
 * }
 * }</pre>
 *
 * <h2>Errors</h2>
 *
 * <p>A {@link dev.twinrank.core.BundleException} means: this bundle must not serve; what served
 * before, serves on. It lists every problem. A {@link dev.twinrank.core.ScoringException} means:
 * this request is bad, or too late; it names the code, the feature and the candidate. Both carry a
 * stable {@link dev.twinrank.core.ErrorCode}. An {@link java.lang.IllegalArgumentException} or an
 * {@link java.lang.IllegalStateException} is a mistake of the program, or a process in which the
 * native runtime cannot be loaded; the message says what to do.
 *
 * <h2>Shutdown</h2>
 *
 * <p>Take no more requests, then close the store; it waits for leases, but no longer than told. The
 * end of the process is safe in any order, also without this and in the midst of a load:
 *
 * <pre>{@code
 * boolean drained = store.close(Duration.ofSeconds(5));
 * }</pre>
 *
 * <p>Models, stores, handles, schemas, requests and results are thread-safe; a {@link
 * dev.twinrank.core.Slate} and builders belong to one thread at a time. Each type says so.
 */
package dev.twinrank.core;
