/** The ranking API over HTTP, and the answers of the HTTP layer itself. */
package dev.twinrank.server.api;
