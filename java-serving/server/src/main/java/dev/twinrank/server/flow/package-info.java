/** The one way into scoring, whatever protocol a request came by: admission, deadlines, threads. */
package dev.twinrank.server.flow;
