/**
 * Verified bundles over HTTP: the embedded core, a ranking API for people, and no scoring logic of
 * its own. {@link dev.twinrank.server.ServerMain} is the way in.
 */
package dev.twinrank.server;
