#!/usr/bin/env python3
"""close_window.py WINDOW: asks a program to close that window, as a window manager does (ICCCM 4.2.8.1, WM_DELETE_WINDOW)."""
import ctypes
import sys


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib.h, in an XEvent's room."""
    _fields_ = [("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p),
                ("window", ctypes.c_ulong), ("message_type", ctypes.c_ulong), ("format", ctypes.c_int), ("data", ctypes.c_long * 5),
                ("padding", ctypes.c_long * 12)]


def main():
    xlib = ctypes.CDLL("libX11.so.6")
    xlib.XOpenDisplay.restype = ctypes.c_void_p
    xlib.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(xlib.XOpenDisplay(None))
    window = int(sys.argv[1])
    atom = [xlib.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")]
    event = ClientMessage(type=33, window=window, message_type=atom[0], format=32)
    event.data[0] = atom[1]
    xlib.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
    xlib.XCloseDisplay(display)


if __name__ == "__main__":
    main()
