/** Which bundles are served, and how the process starts and ends. */
package dev.twinrank.server.life;
