/** What operators see: one exchange for each request, metrics, logs, traces. */
package dev.twinrank.server.ops;
