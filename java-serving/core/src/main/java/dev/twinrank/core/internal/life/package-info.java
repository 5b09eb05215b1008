/** Who may still use what, and when it may be freed. */
package dev.twinrank.core.internal.life;
